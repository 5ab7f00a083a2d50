//! The numbers that stand in messages, and their names in the standards.
//!
//! Every one of them is open: a number without a name here is kept, and prints in hexadecimal.

use core::fmt;

use super::field::Value;

macro_rules! registry {
    ($($(#[$doc:meta])* $registry:ident { $($constant:ident = $value:literal $name:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $registry(pub u8);

        impl $registry {
            $(
                #[doc = concat!(stringify!($value), ": ", $name, ".")]
                pub const $constant: Self = Self($value);
            )*

            /// The name of this number in the standards, if it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }

        impl From<$registry> for Value {
            fn from(number: $registry) -> Self {
                Self::Named(number.0, number.name())
            }
        }

        impl fmt::Display for $registry {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, "{:#04x}", self.0),
                }
            }
        }
    )*};
}

registry! {
    /// Data type of a message (RFC 3830, section 6.1; RFC 4650, 4738, 6043, 6267, 6509).
    DataType {
        PRE_SHARED = 0 "Pre-shared",
        PSK_VER_MSG = 1 "PSK ver msg",
        PUBLIC_KEY = 2 "Public key",
        PK_VER_MSG = 3 "PK ver msg",
        DH_INIT = 4 "D-H init",
        DH_RESP = 5 "D-H resp",
        ERROR = 6 "Error",
        DHHMAC_INIT = 7 "DHHMAC init",
        DHHMAC_RESP = 8 "DHHMAC resp",
        RSA_R_I_MSG = 9 "RSA-R I_MSG",
        RSA_R_R_MSG = 10 "RSA-R R_MSG",
        REQUEST_INIT_PSK = 11 "REQUEST_INIT_PSK",
        REQUEST_INIT_PK = 12 "REQUEST_INIT_PK",
        REQUEST_RESP = 13 "REQUEST_RESP",
        TRANSFER_INIT = 14 "TRANSFER_INIT",
        TRANSFER_RESP = 15 "TRANSFER_RESP",
        RESOLVE_INIT_PSK = 16 "RESOLVE_INIT_PSK",
        RESOLVE_INIT_PK = 17 "RESOLVE_INIT_PK",
        RESOLVE_RESP = 18 "RESOLVE_RESP",
        SAKKE_MSG = 26 "SAKKE msg",
    }

    /// Type of a payload, as the next-payload octet before it states it (RFC 3830, section 6.1; RFC 4563, 6043, 6267,
    /// 6509).
    PayloadType {
        LAST = 0 "Last payload",
        KEMAC = 1 "KEMAC",
        PKE = 2 "PKE",
        DH = 3 "DH",
        SIGN = 4 "SIGN",
        T = 5 "T",
        ID = 6 "ID",
        CERT = 7 "CERT",
        CHASH = 8 "CHASH",
        V = 9 "V",
        SP = 10 "SP",
        RAND = 11 "RAND",
        ERR = 12 "ERR",
        TR = 13 "TR",
        IDR = 14 "IDR",
        RANDR = 15 "RANDR",
        TP = 16 "TP",
        TICKET = 17 "TICKET",
        KEY_DATA = 20 "Key data",
        GENERAL_EXTENSION = 21 "General Extension",
        IBAKE = 22 "IBAKE",
        ESK = 23 "ESK",
        SK = 24 "SK",
        ECCPT = 25 "ECCPT",
        SAKKE = 26 "SAKKE",
    }

    /// PRF of the key derivation, in seven bits (RFC 3830, section 6.1; RFC 6043).
    PrfFunc {
        MIKEY_1 = 0 "MIKEY-1",
        HMAC_SHA_256 = 1 "PRF-HMAC-SHA-256",
    }

    /// Kind of a CS ID map (RFC 3830, section 6.1; RFC 4563; RFC 6043).
    CsIdMapType {
        SRTP_ID = 0 "SRTP-ID",
        EMPTY = 1 "Empty map",
        GENERIC_ID = 2 "GENERIC-ID",
    }

    /// Security protocol of a policy or of a crypto session (RFC 3830, section 6.10).
    ProtType {
        SRTP = 0 "SRTP",
    }

    /// Kind of a timestamp (RFC 3830, section 6.6; RFC 6043).
    TsType {
        NTP_UTC = 0 "NTP-UTC",
        NTP = 1 "NTP",
        COUNTER = 2 "COUNTER",
        NTP_UTC_32 = 3 "NTP-UTC-32",
    }

    /// What a timestamp with a role is for (RFC 6043, section 6.4).
    TsRole {
        ISSUE = 1 "Time of issue",
        START = 2 "Start of validity",
        END = 3 "End of validity",
        REKEYING = 4 "Rekeying interval",
    }

    /// Whose random octets these are (RFC 6043, section 6.8).
    RandRole {
        INITIATOR = 1 "Initiator",
        RESPONDER = 2 "Responder",
        KMS = 3 "KMS",
    }

    /// Form of an identity (RFC 3830, section 6.7; RFC 6043, section 6.6).
    IdType {
        NAI = 0 "NAI",
        URI = 1 "URI",
        BYTE_STRING = 2 "Byte string",
    }

    /// What an identity is for (RFC 6043, section 6.6; RFC 6509, section 4.4; TS 33.180, annex E.7).
    IdRole {
        INITIATOR = 1 "Initiator",
        RESPONDER = 2 "Responder",
        KMS = 3 "KMS",
        PSK = 4 "Pre-Shared Key",
        APPLICATION = 5 "Application",
        INITIATOR_KMS = 6 "Initiator's KMS",
        RESPONDER_KMS = 7 "Responder's KMS",
        INITIATOR_UID = 8 "Initiator's UID",
        RESPONDER_UID = 9 "Responder's UID",
    }

    /// Kind of a certificate (RFC 3830, section 6.7).
    CertType {
        X509V3 = 0 "X.509v3",
        X509V3_URL = 1 "X.509v3 URL",
        X509V3_SIGN = 2 "X.509v3 Sign",
        X509V3_ENCR = 3 "X.509v3 Encr",
    }

    /// Encryption of the keys in KEMAC (RFC 3830, section 6.2; RFC 6043).
    EncrAlg {
        NULL = 0 "NULL",
        AES_CM_128 = 1 "AES-CM-128",
        AES_KW_128 = 2 "AES-KW-128",
        AES_CM_256 = 3 "AES-CM-256",
    }

    /// Authentication of a message, in KEMAC and V (RFC 3830, section 6.2; RFC 6043).
    MacAlg {
        NULL = 0 "NULL",
        HMAC_SHA_1_160 = 1 "HMAC-SHA-1-160",
        HMAC_SHA_256_256 = 2 "HMAC-SHA-256-256",
    }

    /// Hash function of a certificate hash (RFC 3830, section 6.8; RFC 6043).
    HashFunc {
        SHA_1 = 0 "SHA-1",
        MD5 = 1 "MD5",
        SHA_256 = 2 "SHA-256",
    }

    /// Diffie-Hellman group (RFC 3830, section 6.4).
    DhGroup {
        OAKLEY_5 = 0 "OAKLEY 5",
        OAKLEY_1 = 1 "OAKLEY 1",
        OAKLEY_2 = 2 "OAKLEY 2",
    }

    /// Kind of the key in a Key data sub-payload, in four bits (RFC 3830, section 6.13; RFC 6043).
    KeyDataType {
        TGK = 0 "TGK",
        TGK_SALT = 1 "TGK+SALT",
        TEK = 2 "TEK",
        TEK_SALT = 3 "TEK+SALT",
        GTGK = 4 "GTGK",
        GTGK_SALT = 5 "GTGK+SALT",
        MPK = 6 "MPK",
    }

    /// How the validity of a key is stated, in four bits (RFC 3830, section 6.13).
    Kv {
        NULL = 0 "Null",
        SPI = 1 "SPI",
        INTERVAL = 2 "Interval",
    }

    /// What an Error message reports (RFC 3830, section 6.12; RFC 4738; RFC 6043).
    ErrorNo {
        AUTH_FAILURE = 0 "Auth failure",
        INVALID_TS = 1 "Invalid TS",
        INVALID_PRF = 2 "Invalid PRF",
        INVALID_MAC = 3 "Invalid MAC",
        INVALID_EA = 4 "Invalid EA",
        INVALID_HA = 5 "Invalid HA",
        INVALID_DH = 6 "Invalid DH",
        INVALID_ID = 7 "Invalid ID",
        INVALID_CERT = 8 "Invalid Cert",
        INVALID_SP = 9 "Invalid SP",
        INVALID_SPPAR = 10 "Invalid SPpar",
        INVALID_DT = 11 "Invalid DT",
        UNSPECIFIED = 12 "Unspecified error",
        UNSUPPORTED_MESSAGE = 13 "Unsupported message type",
        INVALID_TICKET = 14 "Invalid TICKET",
        INVALID_TPPAR = 15 "Invalid TPpar",
    }

    /// Encryption of SRTP, in an SRTP policy (RFC 3830, section 6.10.1, and its registry).
    SrtpEncryption {
        NULL = 0 "NULL",
        AES_CM = 1 "AES-CM",
        AES_F8 = 2 "AES-F8",
        SEED_CTR = 3 "SEED-CTR",
        SEED_CCM = 4 "SEED-CCM",
        SEED_GCM = 5 "SEED-GCM",
        AES_GCM = 6 "AES-GCM",
    }

    /// Authentication of SRTP, in an SRTP policy (RFC 3830, section 6.10.1; RFC 4771).
    SrtpAuthentication {
        NULL = 0 "NULL",
        HMAC_SHA_1 = 1 "HMAC-SHA-1",
        RCC_M1 = 2 "RCCm1",
        RCC_M2 = 3 "RCCm2",
        RCC_M3 = 4 "RCCm3",
    }

    /// Pseudo-random function of SRTP, in an SRTP policy (RFC 3830, section 6.10.1).
    SrtpPrf {
        AES_CM = 0 "AES-CM",
    }

    /// Order of forward error correction and SRTP at the sender (RFC 3830, section 6.10.1).
    FecOrder {
        FEC_THEN_SRTP = 0 "FEC-SRTP",
    }

    /// Parameter of an SRTP policy (RFC 3830, section 6.10.1, and its registry).
    SrtpParam {
        ENCRYPTION = 0 "Encryption algorithm",
        ENCRYPTION_KEY_LENGTH = 1 "Session Encr. key length",
        AUTHENTICATION = 2 "Authentication algorithm",
        AUTHENTICATION_KEY_LENGTH = 3 "Session Auth. key length",
        SALT_LENGTH = 4 "Session Salt key length",
        PRF = 5 "SRTP Pseudo Random Function",
        KEY_DERIVATION_RATE = 6 "Key derivation rate",
        SRTP_ENCRYPTION_SWITCH = 7 "SRTP encryption off/on",
        SRTCP_ENCRYPTION_SWITCH = 8 "SRTCP encryption off/on",
        FEC_ORDER = 9 "Sender's FEC order",
        SRTP_AUTHENTICATION_SWITCH = 10 "SRTP authentication off/on",
        AUTHENTICATION_TAG_LENGTH = 11 "Authentication tag length",
        PREFIX_LENGTH = 12 "SRTP prefix length",
        ROC_TRANSMISSION_RATE = 13 "ROC transmission rate",
        SRTP_AUTHENTICATION_TAG_LENGTH = 18 "SRTP Authentication tag length",
        SRTCP_AUTHENTICATION_TAG_LENGTH = 19 "SRTCP Authentication tag length",
        AEAD_TAG_LENGTH = 20 "AEAD authentication tag length",
    }

    /// Kind of a General Extension (RFC 3830, section 6.15; RFC 4442, 4563, 5410; TS 33.180, annexes E.5 and E.6).
    ExtensionType {
        VENDOR_ID = 0 "Vendor ID",
        SDP_IDS = 1 "SDP IDs",
        TESLA_I_KEY = 2 "TESLA I-Key",
        KEY_ID = 3 "Key ID",
        CSB_ID = 4 "CSB_ID",
        OMA_BCAST = 5 "OMA BCAST",
        SAKKE_TO_SELF = 6 "SAKKE-to-self",
        KEY_PARAMETERS = 7 "Key Parameters",
    }

    /// Kind of a key identifier in a Key ID extension (RFC 4563).
    KeyIdType {
        KEY_DOMAIN = 0 "Key Domain ID",
        MSK = 1 "MSK ID",
        MTK = 2 "MTK ID",
    }

    /// Parameter set of SAKKE (RFC 6509, section 4).
    SakkeParams {
        SET_1 = 1 "Parameter Set 1",
    }

    /// How identities are made into identifiers (RFC 6509, section 4; TS 33.180, annex F.2.1).
    IdScheme {
        TEL_URI_MONTHLY = 1 "tel URI with monthly keys",
        UID_3GPP = 2 "3GPP hashed UID",
    }

    /// Signature scheme, in four bits (RFC 3830, section 6.5; RFC 6509, section 4).
    SType {
        RSA_PKCS1 = 0 "RSA/PKCS#1/1.5",
        RSA_PSS = 1 "RSA/PSS",
        ECCSI = 2 "ECCSI",
    }
}

impl MacAlg {
    /// How many octets the MAC has; `None` if the algorithm is not known.
    pub const fn octets(self) -> Option<usize> {
        match self {
            Self::NULL => Some(0),
            Self::HMAC_SHA_1_160 => Some(20),
            Self::HMAC_SHA_256_256 => Some(32),
            _ => None,
        }
    }
}

impl HashFunc {
    /// How many octets the hash has; `None` if the function is not known.
    pub const fn octets(self) -> Option<usize> {
        match self {
            Self::SHA_1 => Some(20),
            Self::MD5 => Some(16),
            Self::SHA_256 => Some(32),
            _ => None,
        }
    }
}

impl DhGroup {
    /// How many octets a public value has; `None` if the group is not known.
    pub const fn octets(self) -> Option<usize> {
        match self {
            Self::OAKLEY_5 => Some(192),
            Self::OAKLEY_1 => Some(96),
            Self::OAKLEY_2 => Some(128),
            _ => None,
        }
    }
}

impl KeyDataType {
    /// Whether a salt comes with the key; `None` if the kind is not known.
    pub const fn has_salt(self) -> Option<bool> {
        match self {
            Self::TGK | Self::TEK | Self::GTGK | Self::MPK => Some(false),
            Self::TGK_SALT | Self::TEK_SALT | Self::GTGK_SALT => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_number_prints_as_its_name_or_in_hexadecimal() {
        assert_eq!(PayloadType::IDR.to_string(), "IDR");
        assert_eq!(IdRole(6).to_string(), "Initiator's KMS");
        assert_eq!(DataType(27).to_string(), "0x1b");
        assert_eq!(SType(9).to_string(), "0x09");
        assert_eq!(DataType(27).name(), None);
    }
}
