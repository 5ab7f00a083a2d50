//! What is analysed: all of the AVX-512 backend that computes, function by function.

use iced_x86::Register;

use crate::flow::{Finding, Value};

/// Where the functions are.
const MODULE: &str = "mikey_sakke::backend::ifma::";

/// Those that hold no secret, or only lead to the others: constructors take and give numbers by the general registers,
/// in code that is the same for each, and one power has a public exponent.
const LEFT_OUT: [&str; 4] =
    ["Fp8::from_numbers", "complex::Complex::from_lane", "complex::power_vartime", "detected::"];

/// Those of which some arguments are not public addresses, which hold a secret each.
const ARGUMENTS: [(&str, &[(Register, Value)]); 2] = [
    // The mask.
    ("choose", &[(Register::RSI, Value::Secret)]),
    // Pairs of addresses.
    ("sum_of_three_products", &[(Register::RSI, Value::Addresses)]),
];

/// What must be there, so that nothing is left out by accident: table selection, exchange of lanes, and arithmetic.
pub const EXPECTED: [&str; 9] = [
    "select",
    "choose",
    "transpose::transpose",
    "permute",
    "multiply",
    "multiply_add",
    "add",
    "subtract",
    "complex::square",
];

/// What must be found: functions that use a secret as they should not.
pub const CONTROLS: [(&str, Finding); 3] = [
    ("mikey_sakke_ct::control::branched", Finding::Branch),
    ("mikey_sakke_ct::control::indexed", Finding::Address),
    ("mikey_sakke_ct::control::divided", Finding::Division),
];

/// The name within the backend of a symbol that is analysed.
pub fn name(symbol: &str) -> Option<&str> {
    let name = symbol.strip_prefix(MODULE)?;
    let is_left_out = LEFT_OUT.iter().any(|left_out| name.starts_with(left_out));
    (!is_left_out).then_some(name)
}

/// The arguments of a function that are not public, or not only.
pub fn arguments(name: &str) -> &'static [(Register, Value)] {
    ARGUMENTS.iter().find(|(function, _)| *function == name).map_or(&[], |(_, arguments)| arguments)
}
