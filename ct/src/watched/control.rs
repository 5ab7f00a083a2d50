//! What must be found: if it is not, nothing here proves anything.

use std::hint::black_box;

use mikey_sakke::hazmat::watched::make_secret;
use mikey_sakke_ct::control;

/// Branches on a secret.
pub fn branch() {
    black_box(control::branched(&secret()));
}

/// Reads a table at a secret place.
pub fn index() {
    black_box(control::indexed(&[0; 256], &secret()));
}

/// Keeps what only the machine code is looked at of.
pub fn divide() {
    black_box(control::divided(&black_box([9, 7])));
}

fn secret() -> [u8; 1] {
    let secret = black_box([7]);
    make_secret(&secret);
    black_box(secret)
}
