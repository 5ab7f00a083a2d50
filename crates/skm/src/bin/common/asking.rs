//! What programs need that ask a server.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use mikey_sakke::km::Identifier;
use skm::client::ClientError;

use crate::fault::Fault;

/// Waits until the next second begins. Requests carry their time in whole seconds, and the server takes a second one
/// for the same keys in the same second for a replay, also if it is of another run: so each run has a second of its
/// own.
pub(crate) fn await_next_second() {
    let passed = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(Duration::ZERO, |since| Duration::from_nanos(since.subsec_nanos().into()));
    std::thread::sleep(Duration::from_secs(1) - passed);
}

/// Whether the caller is at fault: nothing was sent.
pub(crate) const fn is_of_caller(error: &ClientError) -> bool {
    matches!(error, ClientError::Usage(_) | ClientError::Token(_))
}

/// The octets of a file that the command line names.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display())).map_err(Fault::Usage)
}

/// An identifier on the command line.
pub(crate) fn identifier(text: &str) -> Result<Identifier, &'static str> {
    Identifier::new(text).map_err(|_| "needs 1 to 1024 octets without control characters")
}
