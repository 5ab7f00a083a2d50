//! The layers below the public interface, under every backend that the processor has: field, group and pairing.
//!
//! Nothing is made public for this: their modules are compiled into the benchmark.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "what is above these layers is not here")]

extern crate alloc;

#[path = "../src"]
mod layers {
    pub(crate) mod backend;
    pub(crate) mod error;
    pub(crate) mod field;
    pub(crate) mod group;
    pub(crate) mod secret;
}

// The tests of the modules come with them.
#[path = "../tests/oracle/mod.rs"]
mod oracle;

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[path = "layers/limit.rs"]
mod limit;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use layers::{backend, error, field, group, secret};

use backend::{Backend, select};
use field::{Fp, Scalar};
use group::curve::OrderQ;
use group::fixed::{self, TableSize};
use group::p256::{Integer, Point};
use group::pairing;

/// Scalars and points in a batch.
const BATCH: u8 = 64;

fn in_the_field(criterion: &mut Criterion, backend: &str) {
    let [a, b] = [3, 7].map(|octet| Fp::from_octets_reduced(&[octet; 128]));
    let mut group = criterion.benchmark_group(format!("field, {backend}"));
    group.bench_function("multiply", |bencher| bencher.iter(|| black_box(&a).multiply(black_box(&b))));
    group.bench_function("invert", |bencher| bencher.iter(|| black_box(&a).invert()));
    group.bench_function("square root", |bencher| bencher.iter(|| black_box(&a).square_root_candidate()));
    group.finish();
}

fn in_the_group(criterion: &mut Criterion, backend: &str) {
    let scalars: Vec<Scalar> = (1..=BATCH).map(|octet| Scalar::from_octets_reduced(&[octet; 128])).collect();
    let (k, points) = (&scalars[..1], fixed::multiply_generator(&scalars));
    let mut group = criterion.benchmark_group(format!("group, {backend}"));
    for size in [TableSize::Full, TableSize::Small, TableSize::Tiny] {
        let prepare = || fixed::prepare(black_box(&points[0]), size);
        group.bench_function(format!("prepare, {size:?}"), |bencher| bencher.iter(prepare));
        let table = prepare();
        group.bench_function(format!("multiply, {size:?}"), |bencher| bencher.iter(|| table.multiply(black_box(k))));
    }
    group.bench_function("power of g", |bencher| bencher.iter(|| fixed::powers_of_g(black_box(k))));
    group.bench_function("multiply G of P-256", |bencher| {
        let k = Integer::from_octets_reduced(&[7; 32]);
        bencher.iter(|| Point::multiply_generator(black_box(&k)));
    });

    group.throughput(Throughput::Elements(BATCH.into()));
    group
        .bench_function("multiply P, batch", |bencher| bencher.iter(|| fixed::multiply_generator(black_box(&scalars))));
    group.bench_function("powers of g, batch", |bencher| bencher.iter(|| fixed::powers_of_g(black_box(&scalars))));
    // Each scalar by a table of its own: one after the other, and side by side.
    let tables: Vec<_> = points.iter().map(|point| fixed::prepare(point, TableSize::Small)).collect();
    let tables: Vec<_> = tables.iter().map(|table| &**table).collect();
    group.bench_function("multiply, one by one", |bencher| {
        bencher.iter(|| {
            for (table, k) in tables.iter().zip(&scalars) {
                black_box(table.multiply(core::slice::from_ref(black_box(k))));
            }
        });
    });
    group.bench_function("multiply, each", |bencher| {
        bencher.iter(|| fixed::multiply_each(black_box(&tables), black_box(&scalars)));
    });
    group.finish();
}

fn in_the_pairing(criterion: &mut Criterion, backend: &str) {
    let points =
        fixed::multiply_generator(&[2, 3, 4, 5, 6, 7, 8, 9].map(|octet| Scalar::from_octets_reduced(&[octet; 128])));
    let points: Vec<OrderQ> = points.iter().flat_map(|point| Option::from(point.to_order_q())).collect();
    let arguments: Vec<_> = points.iter().map(|point| *point.affine()).collect();
    let prepared = pairing::prepare(&points[0]);
    let mut group = criterion.benchmark_group(format!("pairing, {backend}"));
    group.bench_function("prepare", |bencher| bencher.iter(|| pairing::prepare(black_box(&points[0]))));
    group.bench_function("pair", |bencher| bencher.iter(|| prepared.pair(black_box(&arguments[0]))));
    group.throughput(Throughput::Elements(arguments.len() as u64));
    group.bench_function("pair, batch", |bencher| bencher.iter(|| prepared.pair_batch(black_box(&arguments))));
    group.finish();
}

fn all(criterion: &mut Criterion) {
    for backend in Backend::ALL {
        if select(backend).is_ok() {
            for benches in [in_the_field, in_the_group, in_the_pairing] {
                benches(criterion, backend.name());
            }
        }
    }
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    limit::compare();
}

criterion_group!(benches, all);
criterion_main!(benches);
