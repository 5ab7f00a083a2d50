//! Departures from the standards that a receiver may accept, each by its name.

use core::fmt;
use core::str::FromStr;

/// Something that peers send and that the standards do not allow.
///
/// A tolerance prints as its name, in words joined by hyphens, and parses from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tolerance {
    /// `sp-with-empty-map`: SP payloads beside the empty map, which RFC 4563 forbids.
    SpWithEmptyMap,
    /// `generic-id-no-cs`: a map of type GENERIC-ID with #CS 0.
    GenericIdNoCs,
    /// `missing-cs-blocks`: a map that announces crypto sessions and holds none.
    MissingCsBlocks,
    /// `short-rand`: a RAND of 8 to 15 octets.
    ShortRand,
    /// `sign-header-excluded`: a signature over what stands before SIGN, without S type and signature length.
    SignHeaderExcluded,
}

impl Tolerance {
    /// Every tolerance.
    pub const ALL: [Self; 5] =
        [Self::SpWithEmptyMap, Self::GenericIdNoCs, Self::MissingCsBlocks, Self::ShortRand, Self::SignHeaderExcluded];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpWithEmptyMap => "sp-with-empty-map",
            Self::GenericIdNoCs => "generic-id-no-cs",
            Self::MissingCsBlocks => "missing-cs-blocks",
            Self::ShortRand => "short-rand",
            Self::SignHeaderExcluded => "sign-header-excluded",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no tolerance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTolerance;

impl fmt::Display for UnknownTolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such tolerance; there are")?;
        Tolerance::ALL.iter().try_for_each(|tolerance| write!(f, " {tolerance}"))
    }
}

impl core::error::Error for UnknownTolerance {}

impl FromStr for Tolerance {
    type Err = UnknownTolerance;

    fn from_str(name: &str) -> Result<Self, UnknownTolerance> {
        Self::ALL.into_iter().find(|tolerance| tolerance.name() == name).ok_or(UnknownTolerance)
    }
}

/// A set of tolerances. The default set has those that devices in the field need: [`Tolerance::SpWithEmptyMap`] and
/// [`Tolerance::GenericIdNoCs`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tolerances(u8);

impl Tolerances {
    /// No tolerance: what the standards say.
    pub const NONE: Self = Self(0);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, tolerance: Tolerance) -> Self {
        Self(self.0 | tolerance.bit())
    }

    /// This set without one.
    #[must_use]
    pub const fn without(self, tolerance: Tolerance) -> Self {
        Self(self.0 & !tolerance.bit())
    }

    /// Whether a tolerance is in the set.
    pub const fn contains(self, tolerance: Tolerance) -> bool {
        self.0 & tolerance.bit() != 0
    }

    /// The tolerances in the set.
    pub fn iter(self) -> impl Iterator<Item = Tolerance> {
        Tolerance::ALL.into_iter().filter(move |tolerance| self.contains(*tolerance))
    }
}

impl Default for Tolerances {
    fn default() -> Self {
        Self::NONE.with(Tolerance::SpWithEmptyMap).with(Tolerance::GenericIdNoCs)
    }
}

impl FromIterator<Tolerance> for Tolerances {
    fn from_iter<I: IntoIterator<Item = Tolerance>>(tolerances: I) -> Self {
        tolerances.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Tolerances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The names, with commas between them.
impl fmt::Display for Tolerances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(place, tolerance)| {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{tolerance}")
        })
    }
}
