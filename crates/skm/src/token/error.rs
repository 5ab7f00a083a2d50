//! Why a token is refused.

use std::fmt;

use mikey_sakke::km::Failure;

/// The part of a token that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The header.
    Header,
    /// The claims.
    Claims,
    /// The signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims",
            Self::Signature => "signature",
        })
    }
}

/// Why an access token is refused, in the order in which it is looked at.
///
/// The reason is for the server's log; the sender learns [`Failure::Token`] alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// There is no Authorization header field, or it holds no bearer token.
    #[error("no bearer token")]
    Missing,
    /// The token is longer than [`MAX_TOKEN_OCTETS`](super::MAX_TOKEN_OCTETS).
    #[error("the token is too long")]
    Length,
    /// The token is encrypted (JWE).
    #[error("the token is encrypted")]
    Encrypted,
    /// The token does not have three parts, or one is empty.
    #[error("the token does not have three parts")]
    Parts,
    /// A part is not base64url without padding.
    #[error("the {0} is not base64url without padding")]
    Base64(Part),
    /// A part is not one JSON object.
    #[error("the {0} is not a JSON object")]
    Json(Part),
    /// A member stands twice in an object.
    #[error("the {0} has a member twice")]
    Duplicate(Part),
    /// The header has a member that names keys, or asks for more than is understood.
    #[error("the header has the member {0}")]
    HeaderMember(&'static str),
    /// `typ` is neither `at+jwt` nor `JWT`.
    #[error("the token is of another type")]
    Type,
    /// `alg` is not one of those allowed.
    #[error("the algorithm is not allowed")]
    Algorithm,
    /// There is no `kid`.
    #[error("the header names no key")]
    NoKeyId,
    /// The issuer has no key of this `kid`.
    #[error("the issuer has no such key")]
    UnknownKey,
    /// The key is not for this algorithm.
    #[error("the key is for another algorithm")]
    KeyAlgorithm,
    /// The signature is not that of the key.
    #[error("the signature is wrong")]
    Signature,
    /// The token is an ID token, by this claim.
    #[error("the token has the claim {0} of an ID token")]
    IdToken(&'static str),
    /// A claim is missing.
    #[error("the claim {0} is missing")]
    MissingClaim(String),
    /// A claim has the wrong type, length or characters.
    #[error("the claim {0} is malformed")]
    Claim(String),
    /// The token is from another issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// The token is for another server.
    #[error("the token is for another audience")]
    Audience,
    /// The token was issued in the future.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token lives too long, or ends before it begins.
    #[error("the life of the token is not allowed")]
    Life,
    /// The token is bound by a means that is not understood.
    #[error("the token is bound by other means than a certificate")]
    Confirmation,
    /// The token is bound to a certificate, and there is none.
    #[error("the token is bound to a certificate, and the client has none")]
    NoCertificate,
    /// The token is bound to another certificate.
    #[error("the token is bound to another certificate")]
    OtherCertificate,
}

impl From<TokenError> for Failure {
    fn from(_: TokenError) -> Self {
        Self::Token
    }
}
