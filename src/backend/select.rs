//! Which backend is in use: the fastest that the processor has, unless another was asked for.

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use super::adx::Adx;

/// A way to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Words of the processor, on any processor.
    Portable,
    /// BMI2 and ADX of x86-64: two carries side by side.
    Adx,
    /// AVX-512 IFMA of x86-64: eight elements side by side, and single ones by BMI2 and ADX where they are.
    Ifma,
}

impl Backend {
    /// All of them, the slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Adx, Self::Ifma];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Adx => "adx",
            Self::Ifma => "ifma",
        }
    }

    /// Whether processor and operating system have what it takes.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Adx => has_adx(),
            Self::Ifma => has_ifma(),
        }
    }
}

/// The name.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The processor or the operating system lacks what a backend takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable(pub Backend);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the backend {} is not available on this processor", self.0)
    }
}

impl core::error::Error for Unavailable {}

/// 0 until it is chosen, then the position of the backend in [`Backend::ALL`] plus 1.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The backend in use.
pub(crate) fn current() -> Backend {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => Backend::Portable,
        2 => Backend::Adx,
        3 => Backend::Ifma,
        _ => {
            let fastest = Backend::ALL.into_iter().rfind(|backend| backend.is_available());
            let backend = fastest.unwrap_or(Backend::Portable);
            CHOSEN.store(backend as u8 + 1, Ordering::Relaxed);
            backend
        }
    }
}

/// Chooses the backend for what is prepared and computed from now on. Keys that were prepared before keep theirs.
///
/// # Errors
///
/// [`Unavailable`] if the processor or the operating system lacks what it takes; the choice stays as it was.
pub fn select(backend: Backend) -> Result<(), Unavailable> {
    if !backend.is_available() {
        return Err(Unavailable(backend));
    }
    CHOSEN.store(backend as u8 + 1, Ordering::Relaxed);
    Ok(())
}

/// BMI2 and ADX, unless the portable backend is in use.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
pub(super) fn adx() -> Option<Adx> {
    match current() {
        Backend::Portable => None,
        Backend::Adx | Backend::Ifma => Adx::new(),
    }
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn has_adx() -> bool {
    Adx::new().is_some()
}

#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
const fn has_adx() -> bool {
    false
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn has_ifma() -> bool {
    super::ifma::is_available()
}

#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
const fn has_ifma() -> bool {
    false
}
