#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

pub mod error;
pub mod mikey;
pub mod secret;
pub mod time;

pub use error::Error;
