//! What an operation leaves on the stack below it holds no secret.
//!
//! So it is in builds that are optimised. Without optimisation everything is spilled, deeper than is overwritten.

use std::hint::black_box;
use std::thread;

use mikey_sakke::hazmat::backend::Backend;

use crate::fixture::context;
use crate::freed::backends;
use crate::operations::ALL;
use crate::{heap, secrets, stack};

/// What stands below all that was overwritten: the address that the call returned to which overwrote it.
const RETURN: usize = 32;

fn is_optimised() -> bool {
    option_env!("CARGO_PROFILE_TEST_OPT_LEVEL") != Some("0")
}

#[test]
fn a_secret_that_is_left_is_found() {
    let _turn = heap::turn();
    let context = context(1);
    let sought = secrets::of(&context);
    let spill = |depth: usize| {
        let given = &context.given;
        let (_, left) = stack::left_by(|| spilled(given.ssv, depth));
        (sought.found_in(left.octets()).len(), left.below_zeros())
    };
    for depth in [0, 1, 100] {
        let (found, below) = spill(depth);
        assert!(found > 0, "{depth} frames down");
        assert!(depth < 100 || below > RETURN, "{below}");
    }
    let (_, left) = stack::left_by(|| black_box(7));
    assert!(sought.found_in(left.octets()).is_empty() && left.depth() > 0);
}

/// Copies of a secret, as many frames down as told.
#[inline(never)]
fn spilled(secret: [u8; 16], depth: usize) -> u8 {
    let copies = black_box([secret; 64]);
    if depth == 0 { copies[63][0] } else { spilled(secret, depth - 1) ^ copies[depth % 64][0] }
}

#[test]
fn no_operation_leaves_a_secret() {
    let _turn = heap::turn();
    let mut failures = Vec::new();
    for backend in backends().filter(|_| is_optimised()) {
        let context = context(1);
        let sought = secrets::of(&context);
        for (name, extent, operation) in ALL {
            // What is computed once and kept is there before.
            operation(&context);
            let (_, left) = stack::left_by(|| operation(&context));
            let found = sought.found_in(left.octets());
            if !found.is_empty() {
                failures.push(format!("{backend:?}, {name}: {found:?}"));
            }
            if extent.is_whole() && left.below_zeros() > RETURN {
                let (octets, depth) = (left.below_zeros(), left.depth());
                failures.push(format!("{backend:?}, {name}: {octets} octets below what was overwritten, {depth} deep"));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What is overwritten is little more than what is used: there is no need for a larger stack.
#[test]
fn all_operations_fit_a_small_stack() {
    let _turn = heap::turn();
    for backend in backends().filter(|_| is_optimised()) {
        let size = if backend == Backend::Ifma { 144 << 10 } else { 64 << 10 };
        let context = context(1);
        let run = || ALL.iter().for_each(|(_, _, operation)| drop(operation(&context)));
        // More is used once, by the tables that are kept.
        run();
        thread::scope(|scope| {
            let small = thread::Builder::new().stack_size(size).spawn_scoped(scope, run).unwrap();
            small.join().unwrap();
        });
    }
}
