//! Secrets leave no trace: not in memory that was freed, not on the stack below an operation, not in what is printed.
//!
//! Every secret of [`fixture::Fixture`] is known here in all the forms that memory may hold it in ([`sought`]). Each
//! operation of [`operations::ALL`] is run on it while the allocator looks at every block that is freed ([`heap`]), and
//! on a stack that was painted before and is searched after ([`stack`]). Memory is taken in words whose least
//! significant octet comes first: on processors with the other order, nothing is looked at.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![cfg(all(feature = "documents", feature = "hazmat", feature = "km", not(miri)))]
#![cfg(target_endian = "little")]

mod fixture;
mod freed;
mod heap;
mod left;
mod listed;
mod operations;
#[path = "../oracle/mod.rs"]
mod oracle;
mod printed;
mod secrets;
mod sought;
mod stack;

#[global_allocator]
static ALLOCATOR: heap::Inspecting = heap::Inspecting;
