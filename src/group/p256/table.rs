//! Tables of multiples: of G for secret integers, and of any point for public ones.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;

use super::point::{AffinePoint, Point, odd_multiples};

/// Bits of a secret integer that one addition consumes.
pub(super) const WINDOW_BITS: usize = 7;

/// Windows for an integer of 256 bits, and one more bit for the sign of the first.
pub(super) const WINDOWS: usize = 257usize.div_ceil(WINDOW_BITS);

/// Entries of a window: the odd digits 1, 3, ..., 2^7 - 1.
pub(super) const WINDOW_ENTRIES: usize = 1 << (WINDOW_BITS - 1);

/// The odd multiples of 2^(7w) G, for each window w.
pub(super) type Window = [AffinePoint; WINDOW_ENTRIES];

/// The windows of G: 148 KiB, computed at first use.
pub(super) fn generator_windows() -> &'static [Window] {
    static WINDOWS_OF_G: OnceBox<Vec<Window>> = OnceBox::new();
    WINDOWS_OF_G.get_or_init(|| {
        let mut windows = Vec::with_capacity(WINDOWS);
        let mut base = Some(AffinePoint::GENERATOR);
        while let Some(point) = base.filter(|_| windows.len() < WINDOWS) {
            windows.push(odd_multiples(&point));
            base = (0..WINDOW_BITS).fold(Point::from_affine(&point), |point, _| point.double()).to_affine();
        }
        Box::new(windows)
    })
}

/// The entry of a window at a secret index: every entry is read.
#[inline(always)]
pub(super) fn select(window: &Window, index: u64) -> AffinePoint {
    let index = core::hint::black_box(index);
    let mut selected = window[0];
    for (i, entry) in (0u64..).zip(window).skip(1) {
        let differs = (i ^ index).wrapping_neg() >> 63;
        selected.assign_masked(entry, differs.wrapping_sub(1));
    }
    selected
}

/// Entries of a prepared point, which has to be worth its preparation and to stay in the fastest cache. Four times as
/// many save one addition in thirteen, and are slower.
const PREPARED_ENTRIES: usize = 256;

/// A public point with its odd multiples up to the 511th: 16 KiB on the heap.
///
/// Made once per point, at the price of about one multiplication, and shared.
pub(crate) struct PreparedPoint(Box<[AffinePoint; PREPARED_ENTRIES]>);

impl PreparedPoint {
    /// None for the identity.
    pub(crate) fn new(point: &Point) -> Option<Self> {
        point.to_affine().map(|point| Self::from_affine(&point))
    }

    fn from_affine(point: &AffinePoint) -> Self {
        Self(Box::new(odd_multiples(point)))
    }

    /// G, prepared at first use.
    pub(super) fn generator() -> &'static Self {
        static PREPARED_G: OnceBox<PreparedPoint> = OnceBox::new();
        PREPARED_G.get_or_init(|| Box::new(Self::from_affine(&AffinePoint::GENERATOR)))
    }

    pub(super) fn odd_multiples(&self) -> &[AffinePoint] {
        self.0.as_slice()
    }
}

impl fmt::Debug for PreparedPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreparedPoint")
    }
}
