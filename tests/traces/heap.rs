//! An allocator that looks at every block when it is freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sought::Sought;

/// The allocator of the system, whose blocks are searched as they are freed. A block that grows or shrinks moves.
pub(crate) struct Inspecting;

/// What is sought now, if anything is.
static SOUGHT: AtomicPtr<Sought> = AtomicPtr::new(ptr::null_mut());

/// Fragments that were found, as far as there is room.
static FOUND: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// How many blocks are being looked at.
static LOOKING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether the blocks that this thread allocates are recorded.
    static IS_RECORDED: Cell<bool> = const { Cell::new(false) };
}

/// The blocks that were recorded: where they are, and how long, or 0 once they are freed.
static RECORD: Mutex<Record> = Mutex::new(Record { count: 0, blocks: [(0, 0); 4096] });

struct Record {
    count: usize,
    blocks: [(usize, usize); 4096],
}

static TURN: Mutex<()> = Mutex::new(());

/// Tests that look at memory take turns, as each would find what the others hold.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record() -> MutexGuard<'static, Record> {
    RECORD.lock().unwrap_or_else(PoisonError::into_inner)
}

// SAFETY: all memory is that of the system's allocator, with the same layout. What is done besides allocates nothing.
unsafe impl GlobalAlloc for Inspecting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // With zeros, so that what is recorded is not what an earlier block left.
        // SAFETY: the layout is the caller's.
        let block = unsafe { System.alloc_zeroed(layout) };
        if IS_RECORDED.get() && !block.is_null() {
            let mut record = record();
            let count = record.count;
            record.blocks[count] = (block.expose_provenance(), layout.size());
            record.count += 1;
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LOOKING.fetch_add(1, SeqCst);
        // SAFETY: what is sought outlives the time that it is pointed to, and `LOOKING`, which is waited for.
        if let Some(sought) = unsafe { SOUGHT.load(SeqCst).as_ref() } {
            // SAFETY: the block has these octets, it was zeroed when it was allocated, and nobody else has it any more.
            let octets = (0..layout.size()).map(|at| unsafe { block.add(at).read_volatile() });
            sought.search(octets, |fragment| {
                if let Some(place) = FOUND.get(COUNT.fetch_add(1, SeqCst)) {
                    place.store(fragment, SeqCst);
                }
            });
        }
        LOOKING.fetch_sub(1, SeqCst);
        let mut record = record();
        let count = record.count;
        if let Some(at) = record.blocks[..count].iter().position(|(start, _)| *start == block.addr()) {
            record.blocks[at].1 = 0;
        }
        drop(record);
        // SAFETY: the block and its layout are the caller's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the size is not 0 and the alignment is the caller's.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks have as many octets, and they are different blocks.
            unsafe { ptr::copy_nonoverlapping(block, moved, size.min(layout.size())) };
            // SAFETY: the block and its layout are the caller's.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// Runs something while the fragments are sought in all that is freed, by any thread: what was found.
pub(crate) fn found_in_freed(sought: &Sought, run: impl FnOnce()) -> BTreeSet<String> {
    COUNT.store(0, SeqCst);
    SOUGHT.store(ptr::from_ref(sought).cast_mut(), SeqCst);
    run();
    SOUGHT.store(ptr::null_mut(), SeqCst);
    while LOOKING.load(SeqCst) > 0 {
        std::thread::yield_now();
    }
    let count = COUNT.load(SeqCst);
    let fragments = FOUND.iter().take(count).map(|fragment| fragment.load(SeqCst));
    fragments.filter_map(|fragment| sought.name(fragment)).map(str::to_owned).collect()
}

/// Makes something, and gives the words of all blocks that it holds.
pub(crate) fn words_of<T>(make: impl FnOnce() -> T) -> (T, BTreeSet<u64>) {
    record().count = 0;
    IS_RECORDED.set(true);
    let made = make();
    IS_RECORDED.set(false);
    let (blocks, count) = {
        let record = record();
        (record.blocks, record.count)
    };
    let words = blocks[..count].iter().flat_map(|(start, size)| {
        let words = ptr::with_exposed_provenance::<u64>(*start);
        // SAFETY: the block is allocated still, or its size would be 0, and was zeroed; reads need no alignment.
        (0..size / 8).map(move |at| unsafe { words.add(at).read_unaligned() }.to_le())
    });
    (made, words.collect())
}
