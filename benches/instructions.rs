//! Instructions that each operation takes with the backend `portable`, counted by valgrind's callgrind: figures that
//! other work on the machine does not touch.
//!
//! Run with the name of an operation, this does it once within [`measured`]. Run by `cargo bench`, it has valgrind run
//! each of them, and prints a table.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "of the layers that are included, little is used")]

extern crate alloc;

// For the multiplication, which is not public.
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

use std::convert::Infallible;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;

use mikey_sakke::Error;
use mikey_sakke::eccsi::{Ksak, SigningKey};
use mikey_sakke::hazmat::backend::{Backend, select};
use mikey_sakke::identity::Uid;
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, ReceiverKey, Ssv};
use rand_core::{TryCryptoRng, TryRng};

use layers::{backend, error, field, group, secret};

type Operation = Box<dyn FnMut()>;

fn operation<T>(mut compute: impl FnMut() -> T + 'static) -> Operation {
    Box::new(move || {
        black_box(compute());
    })
}

/// What prepares an operation, from the same keys in every run.
type Prepare = fn(&MasterSecret, &Ksak, &Uid) -> Result<Operation, Error>;

const OPERATIONS: [(&str, Prepare); 8] = [
    ("multiply modulo p", |_, _, _| {
        let [a, b] = [3, 7].map(|octet| field::Fp::from_octets_reduced(&[octet; 128]));
        Ok(operation(move || black_box(&a).multiply(black_box(&b))))
    }),
    ("sakke-extract", |z, _, identity| {
        let (z, identity) = (z.clone(), identity.clone());
        Ok(operation(move || z.extract(&identity)))
    }),
    ("sakke-validate-rsk", |z, _, identity| {
        let (public_key, rsk, identity) = (z.public_key(), z.extract(identity)?, identity.clone());
        Ok(operation(move || ReceiverKey::import(&public_key, &identity, rsk.expose())))
    }),
    ("sakke-encapsulate", |z, _, identity| {
        let (public_key, identity) = (z.public_key(), identity.clone());
        Ok(operation(move || public_key.encapsulate(&identity, &SSV)))
    }),
    ("sakke-encapsulate-prepared", |z, _, identity| {
        let recipient = EncapsulationKey::new(&z.public_key(), identity)?;
        Ok(operation(move || recipient.encapsulate(&SSV)))
    }),
    ("sakke-decapsulate", |z, _, identity| {
        let receiver = ReceiverKey::import(&z.public_key(), identity, z.extract(identity)?.expose())?;
        let encapsulated = z.public_key().encapsulate(identity, &SSV)?;
        Ok(operation(move || receiver.decapsulate(&encapsulated)))
    }),
    ("eccsi-sign", |_, ksak, identity| {
        let key = signing_key(ksak, identity)?;
        Ok(operation(move || key.sign(b"message", &mut Fixed)))
    }),
    ("eccsi-verify", |_, ksak, identity| {
        let key = signing_key(ksak, identity)?;
        let (verifying_key, signature) = (key.verifying_key(), key.sign(b"message", &mut Fixed)?);
        Ok(operation(move || verifying_key.verify(b"message", &signature)))
    }),
];

static SSV: LazyLock<Ssv> = LazyLock::new(|| Ssv::new([7; 16]));

fn signing_key(ksak: &Ksak, identity: &Uid) -> Result<SigningKey, Error> {
    let pair = ksak.issue(identity, &mut Fixed)?;
    Ok(SigningKey::import(&ksak.kpak(), identity, pair.ssk.expose(), &pair.pvt)?)
}

/// No random source at all, for the same counts in every run.
struct Fixed;

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0x5a5a_5a5a)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0x5a5a_5a5a_5a5a_5a5a)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        octets.fill(0x5a);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// What callgrind counts.
#[inline(never)]
fn measured(operation: &mut Operation) {
    black_box(operation)();
}

fn run(prepare: Prepare) -> Result<(), Error> {
    // Of the library, and of the layers that are included; the portable one is always there.
    let _ = (select(Backend::Portable), backend::select(backend::Backend::Portable));
    let z = MasterSecret::from_octets(&[0x1d; 128])?;
    let ksak = Ksak::from_octets(&[0x2e; 32])?;
    let mut operation = prepare(&z, &ksak, &Uid::from_octets(b"2026-11\0tel:+447700900123\0")?)?;
    // Once uncounted, for what is prepared at the first use.
    operation();
    measured(&mut operation);
    Ok(())
}

/// The instructions that callgrind counts within [`measured`].
fn count(operation: &str) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=instructions::measured*"]);
    let output = valgrind.arg(program).arg(operation).output();
    let output = output.map_err(|error| format!("valgrind does not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().filter_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok()).next_back();
    collected.filter(|count| output.status.success() && *count > 0).ok_or_else(|| said.into_owned())
}

fn main() -> ExitCode {
    let asked = std::env::args().nth(1);
    for (operation, prepare) in OPERATIONS {
        let done = match asked.as_deref() {
            Some("--bench") => count(operation).map(|count| println!("{operation:<28}{count:>12}")),
            Some(name) if name != operation => Ok(()),
            // Asked for, or with all the others as a test.
            _ => run(prepare).map_err(|error| error.to_string()),
        };
        if let Err(error) = done {
            eprintln!("{operation}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
