//! What must be found: if it is not, nothing here proves anything.

use std::hint::black_box;

use mikey_sakke::hazmat::watched::make_secret;

/// Branches on a secret.
pub fn branch() {
    let secret = black_box([7_u8]);
    make_secret(&secret);
    if black_box(secret)[0] > 3 {
        black_box(());
    } else {
        black_box(0);
    }
}

/// Reads a table at a secret place.
pub fn index() {
    let table = black_box([0_u8; 256]);
    let secret = black_box([7_u8]);
    make_secret(&secret);
    black_box(table[usize::from(black_box(secret)[0])]);
}
