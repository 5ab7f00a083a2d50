//! Whole messages: decode, encode, inspect.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| common::check(octets));
