//! What is freed holds no secret.

use std::hint::black_box;

use mikey_sakke::hazmat::backend::{Backend, select};

use crate::fixture::{Context, context};
use crate::operations::ALL;
use crate::{heap, secrets};

#[test]
fn a_secret_that_is_freed_is_found() {
    let _turn = heap::turn();
    let context = context(1);
    let sought = secrets::of(&context);
    for octets in [context.given.z.as_slice(), &context.given.ksak, &context.given.ssv] {
        // At any offset, and when the block moves.
        for offset in 0..8 {
            let found = heap::found_in_freed(&sought, || drop(black_box([&vec![1; offset], octets].concat())));
            assert!(!found.is_empty(), "{offset}");
        }
        let found = heap::found_in_freed(&sought, || {
            let mut octets = black_box(octets.to_vec());
            octets.reserve(1000);
            octets.fill(0);
        });
        assert!(!found.is_empty());
    }
    assert!(heap::found_in_freed(&sought, || drop(black_box(vec![7_u8; 1000]))).is_empty());
}

#[test]
fn no_operation_frees_a_secret() {
    let _turn = heap::turn();
    for backend in backends() {
        let context = context(1);
        let sought = secrets::of(&context);
        let mut failures = Vec::new();
        for (name, _, operation) in ALL {
            let found = heap::found_in_freed(&sought, || drop(operation(&context)));
            if !found.is_empty() {
                failures.push(format!("{backend:?}, {name}: {found:?}"));
            }
        }
        let Context { given: _, fixture } = context;
        let found = heap::found_in_freed(&sought, || drop(fixture));
        if !found.is_empty() {
            failures.push(format!("{backend:?}, all keys dropped: {found:?}"));
        }
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    }
}

#[test]
fn what_is_prepared_from_an_rsk_is_wiped() {
    let _turn = heap::turn();
    for backend in backends() {
        let (one, other) = (context(1), context(2));
        let (key, words) = secrets::of_prepared(&one, &other);
        let mut sought = secrets::of(&one);
        // Coordinates and coefficients, most of 460 KB.
        assert!(words.len() > 40_000, "{backend:?}: {}", words.len());
        sought.words("lines of an RSK", words);
        let copy = key.clone();
        assert!(heap::found_in_freed(&sought, || drop(key)).is_empty(), "{backend:?}: a copy is left");
        let found = heap::found_in_freed(&sought, || drop(copy));
        assert!(found.is_empty(), "{backend:?}: {found:?}");
    }
}

/// Those that this processor has.
pub(crate) fn backends() -> impl Iterator<Item = Backend> {
    [Backend::Ifma, Backend::Adx, Backend::Portable].into_iter().filter(|backend| select(*backend).is_ok())
}
