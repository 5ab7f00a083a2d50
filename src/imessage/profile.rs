//! What a key is for, and the form that the messages take which carry it.

use alloc::vec::Vec;
use core::fmt;

use crate::error::UsageError;
use crate::mikey::CsIdMap;
use crate::mikey::payload::Sp;
use crate::mikey::registry::{SrtpAuthentication, SrtpEncryption, SrtpParam, SrtpPrf};

/// What a key is for: the first 4 bits of its identifier.
///
/// The names are those of TS 33.180, annex G. SEAL (TS 33.434) has assigned none so far; a service that has its own
/// takes them by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purpose(u8);

impl Purpose {
    /// 0: GMK, group master key.
    pub const GMK: Self = Self(0);
    /// 1: PCK, private call key.
    pub const PCK: Self = Self(1);
    /// 2: CSK, client-server key.
    pub const CSK: Self = Self(2);
    /// 3: SPK, signalling protection key.
    pub const SPK: Self = Self(3);
    /// 4: MKFC, multicast floor control key.
    pub const MKFC: Self = Self(4);
    /// 5: MSCCK, multicast signalling control key.
    pub const MSCCK: Self = Self(5);
    /// 6: MuSiK, multicast signalling key.
    pub const MUSIK: Self = Self(6);

    /// The purpose with a number from 0 to 15.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the number does not fit 4 bits.
    pub const fn new(number: u8) -> Result<Self, UsageError> {
        if number < 16 { Ok(Self(number)) } else { Err(UsageError::FieldLength) }
    }

    /// The purpose in the first octet of an identifier.
    pub(super) const fn of_octet(octet: u8) -> Self {
        Self(octet >> 4)
    }

    /// The number, 0 to 15.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The name in TS 33.180, where it has one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::GMK => Some("GMK"),
            Self::PCK => Some("PCK"),
            Self::CSK => Some("CSK"),
            Self::SPK => Some("SPK"),
            Self::MKFC => Some("MKFC"),
            Self::MSCCK => Some("MSCCK"),
            Self::MUSIK => Some("MuSiK"),
            _ => None,
        }
    }
}

/// The number.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// SRTP with AEAD_AES_128_GCM, for two.
const PRIVATE_SRTP: &[(SrtpParam, u8)] = &[
    (SrtpParam::ENCRYPTION, SrtpEncryption::AES_GCM.0),
    (SrtpParam::ENCRYPTION_KEY_LENGTH, 16),
    (SrtpParam::SALT_LENGTH, 12),
    (SrtpParam::PRF, SrtpPrf::AES_CM.0),
    (SrtpParam::KEY_DERIVATION_RATE, 0),
    (SrtpParam::AEAD_TAG_LENGTH, 16),
];

/// The same for a group, with the rollover counter in every packet.
const GROUP_SRTP: &[(SrtpParam, u8)] = &[
    (SrtpParam::ENCRYPTION, SrtpEncryption::AES_GCM.0),
    (SrtpParam::ENCRYPTION_KEY_LENGTH, 16),
    (SrtpParam::AUTHENTICATION, SrtpAuthentication::RCC_M3.0),
    (SrtpParam::SALT_LENGTH, 12),
    (SrtpParam::PRF, SrtpPrf::AES_CM.0),
    (SrtpParam::KEY_DERIVATION_RATE, 0),
    (SrtpParam::ROC_TRANSMISSION_RATE, 1),
    (SrtpParam::SRTP_AUTHENTICATION_TAG_LENGTH, 4),
    (SrtpParam::SRTCP_AUTHENTICATION_TAG_LENGTH, 0),
    (SrtpParam::AEAD_TAG_LENGTH, 16),
];

/// The form of the messages that carry keys of one purpose.
///
/// ```
/// use mikey_sakke::imessage::{Profile, Purpose};
///
/// let group_key = Profile::ts33180_gmk();
/// assert_eq!(group_key.purpose(), Purpose::GMK);
/// let private_call = Profile::ts33180_pck().hiding_identities().with_sakke_to_self();
/// # assert!(private_call != group_key);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    purpose: Purpose,
    is_diversified: bool,
    hides_identities: bool,
    has_sakke_to_self: bool,
    sessions: CsIdMap,
    policies: Vec<Sp>,
}

impl Profile {
    /// The plain message of RFC 6509, as SEAL uses it: the key goes by the same SK-ID everywhere.
    pub const fn seal(purpose: Purpose) -> Self {
        Self {
            purpose,
            is_diversified: false,
            hides_identities: false,
            has_sakke_to_self: false,
            sessions: CsIdMap::EMPTY,
            policies: Vec::new(),
        }
    }

    /// TS 33.180, E.2: a group master key, which each member knows by a GUK-ID of his own.
    pub fn ts33180_gmk() -> Self {
        Self { is_diversified: true, ..Self::seal(Purpose::GMK) }
    }

    /// TS 33.180, E.3: the key of a private call, from one client to the other. [`Profile::with_sakke_to_self`] is
    /// recommended where the call may leave the domain.
    pub const fn ts33180_pck() -> Self {
        Self::seal(Purpose::PCK)
    }

    /// TS 33.180, E.4: the key between a client and its server, from either.
    pub const fn ts33180_csk() -> Self {
        Self::seal(Purpose::CSK)
    }

    /// TS 33.180, E.4: a key for multicast signalling, from a server.
    pub const fn ts33180_musik() -> Self {
        Self::seal(Purpose::MUSIK)
    }

    /// The same profile with UIDs in place of the users' URIs (TS 33.180, 5.2.6): whoever sees the message does not
    /// learn whom it is from and to.
    #[must_use]
    pub fn hiding_identities(self) -> Self {
        Self { hides_identities: true, ..self }
    }

    /// The same profile with the key encapsulated to the initiator as well (TS 33.180, E.5), who can recover it from
    /// his own message: see [`Initiator::recover`](super::Initiator::recover).
    #[must_use]
    pub fn with_sakke_to_self(self) -> Self {
        Self { has_sakke_to_self: true, ..self }
    }

    /// The same profile with crypto sessions and security policies stated in the message. Without, the map is empty,
    /// and the service's own defaults hold.
    #[must_use]
    pub fn with_sessions(self, sessions: CsIdMap, policies: Vec<Sp>) -> Self {
        Self { sessions, policies, ..self }
    }

    /// The SRTP policy that holds by default for keys of this purpose, under a policy number (TS 33.180, annex E):
    /// AEAD_AES_128_GCM with a salt of 12 octets and a tag of 16. For groups, an authentication by RCCm3 as well, with
    /// the rollover counter in every packet. None where TS 33.180 has none.
    pub fn default_srtp_policy(&self, policy: u8) -> Option<Sp> {
        let params = match self.purpose {
            Purpose::GMK => GROUP_SRTP,
            Purpose::PCK | Purpose::CSK | Purpose::MUSIK => PRIVATE_SRTP,
            _ => return None,
        };
        Some(Sp::srtp(policy, params))
    }

    /// What the key is for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Whether each recipient knows the key by an identifier of his own (end-point diversity, TS 33.180, 5.2.3).
    pub const fn is_diversified(&self) -> bool {
        self.is_diversified
    }

    /// Whether messages have UIDs in place of the users' URIs.
    pub const fn hides_identities(&self) -> bool {
        self.hides_identities
    }

    /// Whether the key is encapsulated to the initiator as well.
    pub const fn has_sakke_to_self(&self) -> bool {
        self.has_sakke_to_self
    }

    /// The crypto sessions that the message states.
    pub const fn sessions(&self) -> &CsIdMap {
        &self.sessions
    }

    /// The security policies that the message states.
    pub fn policies(&self) -> &[Sp] {
        &self.policies
    }
}
