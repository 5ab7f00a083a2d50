//! Why a command is not done, and what the program exits with, for both programs.

use std::io::ErrorKind;
use std::process::ExitCode;

use skm::seal::KeyError;

/// Why a command is not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The usage or the configuration is wrong.
    Usage(anyhow::Error),
    /// It is refused, or failed.
    Failed(anyhow::Error),
}

impl Fault {
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    pub(crate) fn error(&self) -> &anyhow::Error {
        match self {
            Self::Usage(error) | Self::Failed(error) => error,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
        }
    }

    /// Whether it is this error of input or output.
    pub(crate) fn is(&self, kind: ErrorKind) -> bool {
        self.error().downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == kind)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        let error = error.into();
        if is_of_configuration(&error) { Self::Usage(error) } else { Self::Failed(error) }
    }
}

/// Whether the configuration, or a file that it names, is to be put right.
fn is_of_configuration(error: &anyhow::Error) -> bool {
    error.is::<KeyError>() || is_of_server_configuration(error)
}

#[cfg(feature = "server")]
fn is_of_server_configuration(error: &anyhow::Error) -> bool {
    use skm::domain::LoadError;
    use skm::service::ServiceError;
    use skm::store::StoreError::{self, Io, Key, Url, WrongKey};
    let is_of_store = |error: &StoreError| matches!(error, Url | Io(..) | Key(_) | WrongKey);
    let is_of_service = |error: &ServiceError| match error {
        ServiceError::Store(error) => is_of_store(error),
        error => matches!(error, ServiceError::Domain(LoadError::Other(_))),
    };
    error.is::<skm::config::ConfigError>()
        || error.is::<skm::token::KeySetError>()
        || error.is::<skm::tls::TlsError>()
        || error.downcast_ref().is_some_and(is_of_store)
        || error.downcast_ref().is_some_and(is_of_service)
        || matches!(error.downcast_ref(), Some(LoadError::Other(_)))
}

#[cfg(not(feature = "server"))]
const fn is_of_server_configuration(_: &anyhow::Error) -> bool {
    false
}
