//! The numbers that stand in messages, and their names in the standards.
//!
//! Every one of them is open: a number without a name here is kept, and prints in hexadecimal.

use core::fmt;

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
