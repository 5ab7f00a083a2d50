//! What the server decides about each request, without HTTP.
//!
//! A [`Service`] is asked by the listeners: each route is a method, that takes what came in and returns what to answer.
//! The checks stand in one order: the token, what a principal may ask for in a time, the body, the policy, replay, and
//! only then whether there is what is asked for.

mod answer;
mod caller;

use mikey_sakke::km;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::seal::Secret;
use crate::store::Version;

pub use answer::{KmAnswer, Problem};
pub use caller::{Body, BodyFault, Caller, Clock, IdentityResource, Moment, Point, RecordPath};

/// The key management server.
#[derive(Debug)]
pub struct Service {}

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// Why the service cannot answer at present.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The keys of the token issuer are not there.
    #[error("there are no keys of the token issuer")]
    TokenKeys,
}

/// A record that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether there was none before: 201, else 204.
    pub is_new: bool,
    /// Its version, for ETag.
    pub version: Version,
}

/// What may be known of a record without its key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its version, for ETag.
    pub version: Version,
    /// The JSON object: UserUri, ValidFrom, ValidTo.
    pub json: String,
}

#[allow(clippy::unused_async, reason = "bodies follow")]
#[allow(missing_docs, clippy::missing_errors_doc, reason = "bodies follow")]
impl Service {
    pub async fn open(_config: &Config, _secret: Secret, _clock: Clock) -> Result<Self, ServiceError> {
        Ok(Self {})
    }

    /// POST `/seal-km/v1/km-request`.
    pub async fn key_request(&self, _caller: &Caller<'_>, _body: Body<'_>) -> KmAnswer {
        unimplemented!()
    }

    /// GET `/ss-kir/v1/key-records`, with what stands behind the `?`.
    pub async fn key_records(&self, _caller: &Caller<'_>, _query: Option<&str>) -> Result<Zeroizing<String>, Problem> {
        unimplemented!()
    }

    /// PUT of a record. `if_match` is the value of the header field.
    pub async fn put_record(
        &self,
        _caller: &Caller<'_>,
        _path: RecordPath<'_>,
        _if_match: Option<&[u8]>,
        _body: Body<'_>,
    ) -> Result<Stored, Problem> {
        unimplemented!()
    }

    /// GET of a record: never its Payload.
    pub async fn record_metadata(&self, _caller: &Caller<'_>, _path: RecordPath<'_>) -> Result<Metadata, Problem> {
        unimplemented!()
    }

    /// DELETE of a record.
    pub async fn delete_record(
        &self,
        _caller: &Caller<'_>,
        _path: RecordPath<'_>,
        _if_match: Option<&[u8]>,
    ) -> Result<(), Problem> {
        unimplemented!()
    }

    /// GET `/seal-km/v1/domain`.
    pub async fn domain_document(&self, _caller: &Caller<'_>) -> Result<String, Problem> {
        unimplemented!()
    }

    /// POST below `/keymanagement/identity/v1/`: XML.
    pub async fn identity(
        &self,
        _caller: &Caller<'_>,
        _resource: IdentityResource<'_>,
        _body: Body<'_>,
    ) -> Result<Zeroizing<String>, Problem> {
        unimplemented!()
    }

    /// A problem to answer with where there is no route, or a method or Accept that is not served.
    pub fn now(&self) -> Moment {
        unimplemented!()
    }

    /// Whether it can answer.
    pub async fn is_ready(&self) -> Result<(), NotReady> {
        unimplemented!()
    }

    /// Forgets what has expired. To be called every few seconds.
    pub async fn prune(&self) {
        let _: Option<km::Response> = None;
    }
}
