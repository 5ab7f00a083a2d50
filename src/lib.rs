#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod backend;
#[cfg(feature = "documents")]
pub mod documents;
pub mod eccsi;
pub mod error;
mod field;
mod group;
#[cfg(feature = "hazmat")]
pub mod hazmat;
pub mod identity;
pub mod imessage;
#[cfg(feature = "km")]
pub mod km;
pub mod kms;
pub mod mikey;
#[cfg(doctest)]
mod misuse;
mod random;
pub mod sakke;
pub mod secret;
pub mod time;
mod ts33220;

#[cfg(test)]
#[path = "../tests/oracle/mod.rs"]
mod oracle;

pub use error::Error;
