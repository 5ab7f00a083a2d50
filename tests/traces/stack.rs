//! A stack that is painted before an operation, and read after it.

use std::hint::black_box;
use std::thread;

/// Octets of the stack that an operation may use and that are looked at.
pub(crate) const REGION: usize = 3 << 20;

/// What the stack is painted with.
const PAINT: u8 = 0xa5;

/// Octets between the frames that look and those that are looked at.
const SPACE: usize = 8 << 10;

/// What an operation left: the octets of the stack below the frame that called it, from there downwards.
pub(crate) struct Left(Vec<u8>);

impl Left {
    /// The octets, the lowest address first.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// How deep the stack was written to, in octets.
    pub(crate) fn depth(&self) -> usize {
        self.0.len() - self.0.iter().take_while(|octet| **octet == PAINT).count()
    }

    /// How many octets hold other than zeros and paint below the longest run of zeros, which is what was overwritten.
    pub(crate) fn below_zeros(&self) -> usize {
        let runs = self.0.chunk_by(|one, next| (*one == 0) == (*next == 0));
        let (mut at, mut start, mut longest) = (0, 0, 0);
        for run in runs {
            if run[0] == 0 && run.len() > longest {
                (start, longest) = (at, run.len());
            }
            at += run.len();
        }
        self.0[..start].iter().filter(|octet| !matches!(**octet, 0 | PAINT)).count()
    }
}

/// Runs an operation on a painted stack.
pub(crate) fn left_by<R: Send>(operation: impl Fn() -> R + Send + Sync) -> (R, Left) {
    let run = || {
        let mut octets = vec![0; REGION];
        let base = base();
        paint(base);
        let result = spaced(&operation);
        read(base, &mut octets);
        // The region begins where the frames below the space do.
        octets.truncate(REGION - SPACE / 2);
        (result, Left(octets))
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(REGION + (1 << 20)).spawn_scoped(scope, run).unwrap();
        thread.join().unwrap()
    })
}

/// An address in a frame right below that of the caller.
#[inline(never)]
fn base() -> usize {
    let local = black_box(0_u8);
    black_box(&raw const local).expose_provenance()
}

/// Paints what is below this frame.
#[inline(never)]
fn paint(base: usize) {
    for at in 512..=REGION {
        // SAFETY: the stack of this thread is larger than the region, and nothing below this frame is in use. No frame
        // of this function and what it calls is as large as what it leaves out.
        unsafe { std::ptr::with_exposed_provenance_mut::<u8>(base - at).write_volatile(PAINT) };
    }
}

/// Reads what is below this frame into octets, the lowest address first.
#[inline(never)]
fn read(base: usize, octets: &mut [u8]) {
    for (at, octet) in octets.iter_mut().enumerate() {
        // SAFETY: the stack of this thread is larger than the region; what this frame changes is above what counts.
        *octet = unsafe { std::ptr::with_exposed_provenance::<u8>(base - REGION + at).read_volatile() };
    }
}

/// Runs an operation below a frame that is larger than those of the functions here.
#[inline(never)]
fn spaced<R>(operation: &impl Fn() -> R) -> R {
    let space = [PAINT; SPACE];
    black_box(&space);
    let result = called(operation);
    black_box(&space);
    result
}

#[inline(never)]
fn called<R>(operation: &impl Fn() -> R) -> R {
    operation()
}
