//! What the families of inputs have in common.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mikey_sakke::Error;
use mikey_sakke::error::{KeyMaterialError, Refusal, Rejected, UsageError};

/// The error, without where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The sender is at fault.
    Malformed,
    /// Who delivered the keys is at fault.
    KeyMaterial(KeyMaterialError),
    /// A cryptographic check failed, and nothing is said about it.
    Rejected,
    /// Well formed, and not accepted.
    Refused(Refusal),
    /// It cannot be asked for.
    Usage(UsageError),
    /// None that an input may lead to.
    Wrong(String),
}

impl From<Error> for Class {
    fn from(error: Error) -> Self {
        match error {
            Error::Decode(_) => Self::Malformed,
            Error::KeyMaterial(error) => Self::KeyMaterial(error),
            Error::Rejected => Self::Rejected,
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::Usage(error) => Self::Usage(error),
            other => Self::Wrong(other.to_string()),
        }
    }
}

macro_rules! from_part {
    ($($part:ident),*) => {$(
        impl From<$part> for Class {
            fn from(error: $part) -> Self {
                Error::from(error).into()
            }
        }
    )*};
}

from_part!(KeyMaterialError, Rejected, UsageError);

/// Inputs made from a good one.
pub(crate) struct Family<I> {
    name: &'static str,
    good: I,
    receive: fn(&I) -> Result<(), Class>,
    forged: Vec<(String, I, Class)>,
}

impl<I: Clone + Debug + Eq + Hash> Family<I> {
    pub(crate) fn new(name: &'static str, good: I, receive: fn(&I) -> Result<(), Class>) -> Self {
        Self { name, good, receive, forged: Vec::new() }
    }

    /// Adds an input that is refused with an error of this class.
    pub(crate) fn refuse(&mut self, name: impl Into<String>, class: Class, change: impl FnOnce(&mut I)) {
        let mut input = self.good.clone();
        change(&mut input);
        self.forged.push((name.into(), input, class));
    }

    /// Checks that they are as many as expected, all different, all refused, and that the good one is accepted before
    /// and after them.
    #[track_caller]
    pub(crate) fn check(self, expected: usize) {
        let Self { name, good, receive, forged } = self;
        assert_eq!(receive(&good), Ok(()), "{name}: the good one");
        let mut seen = HashSet::from([&good]);
        let mut failures = Vec::new();
        for (input_name, input, class) in &forged {
            if !seen.insert(input) {
                failures.push(format!("{input_name}: there already"));
            }
            match catch_unwind(AssertUnwindSafe(|| receive(input))) {
                Ok(Err(error)) if error == *class => {}
                Ok(Err(error)) => failures.push(format!("{input_name}: {error:?}, not {class:?}")),
                Ok(Ok(())) => failures.push(format!("{input_name}: accepted")),
                Err(_) => failures.push(format!("{input_name}: panic")),
            }
        }
        assert_eq!(receive(&good), Ok(()), "{name}: the good one, again");
        assert!(failures.is_empty(), "{name}: {} of {} failed\n{}", failures.len(), forged.len(), failures.join("\n"));
        assert_eq!(forged.len(), expected, "{name}");
        println!("{name}: {expected} refused");
    }
}
