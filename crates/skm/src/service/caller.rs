//! What comes in.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use mikey_sakke::km::{BodyError, Failure};
use mikey_sakke::time::Timestamp;

use crate::policy::Channel;
use crate::tls::Peer;

/// The reference point that a request comes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// KM-UU: clients in a UE.
    KmUu,
    /// KM-S: VAL servers, and provisioning.
    KmS,
    /// SEAL-X1: group management servers.
    SealX1,
}

/// Who sends a request, as far as the connection and the header tell.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The reference point.
    pub point: Point,
    /// The other end of the connection.
    pub peer: &'a Peer,
    /// The value of the Authorization header field.
    pub authorization: Option<&'a [u8]>,
    /// What tells the request from others in logs.
    pub request_id: &'a str,
}

impl<'a> Caller<'a> {
    /// The way in which the request came, for the policy.
    pub(super) const fn channel(&self) -> Channel<'a> {
        let certificate = self.peer.certificate.as_ref();
        match self.point {
            Point::KmUu => Channel::KmUu,
            Point::KmS => Channel::KmS(certificate),
            Point::SealX1 => Channel::SealX1(certificate),
        }
    }
}

/// A body as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// Whether Content-Type is the one of the route: `application/json`, or `application/xml`.
    pub is_declared: bool,
    /// Its octets.
    pub octets: Result<&'a [u8], BodyFault>,
}

impl<'a> Body<'a> {
    /// The octets, if they were all read, and are what they should be.
    ///
    /// # Errors
    ///
    /// [`Failure::Request`] or [`Failure::ContentType`].
    pub(super) fn read(self) -> Result<&'a [u8], Failure> {
        match self.octets {
            Err(BodyFault::TooLarge) => Err(malformed(BodyError::TooLong)),
            _ if !self.is_declared => Err(Failure::ContentType),
            Err(BodyFault::Incomplete) => Err(malformed(BodyError::Json)),
            Ok(octets) => Ok(octets),
        }
    }
}

pub(super) fn malformed(error: BodyError) -> Failure {
    Failure::Request(error.into())
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is longer than it may be.
    TooLarge,
    /// It ended, or took too long, before it was whole.
    Incomplete,
}

/// The path of a record, decoded.
#[derive(Clone, Copy, Debug)]
pub struct RecordPath<'a> {
    /// ServiceID.
    pub service: &'a str,
    /// `client`, `device` or `user`, and the identifier; none for the record of the service.
    pub subject: Option<(&'a str, &'a str)>,
}

/// What must hold for a record to be changed, in the values of header fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Precondition<'a> {
    /// If-Match.
    pub if_match: Option<&'a [u8]>,
    /// If-None-Match, of which `*` alone is known.
    pub if_none_match: Option<&'a [u8]>,
}

/// What is posted to below `/keymanagement/identity/v1/`, in decoded segments (TS 33.180, annex D).
#[derive(Clone, Copy, Debug)]
pub enum IdentityResource<'a> {
    /// `init`: the certificate.
    Init,
    /// `keyprov[/uri[/time]]`: the keys of a user.
    KeyProv {
        /// The user.
        user: Option<&'a str>,
        /// An instant of the key period: the NTP timestamp in 16 hexadecimal digits.
        time: Option<&'a str>,
    },
    /// `certcache[/n]`: the certificates of other domains.
    CertCache {
        /// CacheNum: the state that the client has.
        number: Option<&'a str>,
    },
}

/// A moment: the time of day, and that of a clock that is never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of day.
    pub time: Timestamp,
    /// The clock that is never set.
    pub instant: Instant,
}

/// How the time is read.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Moment + Send + Sync>);

impl Clock {
    /// The clocks of the system. A time of day that cannot be expressed counts as 1970, in which no token is valid.
    pub fn system() -> Self {
        Self::new(|| Moment {
            time: Timestamp::now()
                .or_else(|_| Timestamp::from_unix(0))
                .unwrap_or_else(|_| unreachable!("1970 can be expressed")),
            instant: Instant::now(),
        })
    }

    /// A clock that reads so.
    pub fn new(read: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads it.
    pub fn now(&self) -> Moment {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
