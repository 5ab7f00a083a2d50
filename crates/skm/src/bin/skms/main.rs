//! The command line of the key management server.
fn main() {}
