//! What must be found.

use std::hint::black_box;
use std::time::Instant;

use mikey_sakke_ct::Octets;
use mikey_sakke_ct::control::{branched, divided, indexed};

use crate::operations::{Class, Operation};

/// Octets of what is compared.
const LENGTH: usize = 1024;

/// A comparison that ends at the first difference.
pub fn operation() -> Operation {
    Operation {
        stages: &["a comparison that ends at the first difference"],
        prepare: Box::new(|| {
            let mut random = Octets::default();
            let secret = random.take::<LENGTH>();
            Box::new(move |class| {
                let guess = match class {
                    Class::Fixed => secret,
                    Class::Random => random.take(),
                };
                let start = Instant::now();
                black_box(black_box(&guess).iter().zip(black_box(&secret)).all(|(one, other)| one == other));
                vec![start.elapsed()]
            })
        }),
    }
}

/// Runs those that only the disassembly is looked at of, so that the compiler keeps them.
pub fn run_all() {
    black_box(branched(black_box(&[7])));
    black_box(indexed(black_box(&[0; 256]), black_box(&[7])));
    black_box(divided(black_box(&[9, 7])));
}
