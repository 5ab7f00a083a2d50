//! One module for each command.

pub(crate) mod demo;
pub(crate) mod distribute;
pub(crate) mod extract;
pub(crate) mod inspect;
pub(crate) mod join;
pub(crate) mod kms;
pub(crate) mod speed;
pub(crate) mod vectors;
