//! What a valid token says.

use std::fmt;

use mikey_sakke::km::{Identifier, Token};
use mikey_sakke::time::Timestamp;

use super::TokenError;
use super::capif::ServiceApis;
use super::json::{Object, Value};

/// A token that was found valid.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    pub(super) issuer: String,
    pub(super) subject: Identifier,
    pub(super) client_id: Identifier,
    pub(super) scopes: Vec<String>,
    /// What it is for, if it is one of a CAPIF core function.
    pub(super) service_apis: Option<ServiceApis>,
    pub(super) user: Option<Identifier>,
    pub(super) services: Option<Vec<Identifier>>,
    pub(super) id: Option<Identifier>,
    pub(super) expires: Timestamp,
    pub(super) hash: [u8; 32],
}

impl AccessToken {
    /// `sub`; the client if a token of CAPIF does without it.
    pub const fn subject(&self) -> &Identifier {
        &self.subject
    }

    /// `client_id`.
    pub const fn client_id(&self) -> &Identifier {
        &self.client_id
    }

    /// Whether `scope` has this one.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|given| given == scope)
    }

    /// The device that it is for: its subject. One of CAPIF is for none.
    pub fn device(&self) -> Option<&Identifier> {
        self.is_of_seal().then_some(&self.subject)
    }

    /// Whether it is one of the SEAL identity management server, and not of a CAPIF core function.
    pub const fn is_of_seal(&self) -> bool {
        self.service_apis.is_none()
    }

    /// Whether it is a token of a CAPIF core function for this API of this API exposing function.
    pub fn is_for_service_api(&self, aef_id: &str, api_name: &str) -> bool {
        self.service_apis.as_ref().is_some_and(|apis| apis.include(aef_id, api_name))
    }

    /// The VAL user, as the token writes it.
    pub const fn user(&self) -> Option<&Identifier> {
        self.user.as_ref()
    }

    /// The VAL services, if the token lists them.
    pub fn services(&self) -> Option<&[Identifier]> {
        self.services.as_deref()
    }

    /// `jti`.
    pub const fn id(&self) -> Option<&Identifier> {
        self.id.as_ref()
    }

    /// `exp`.
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// What identifies the token in a replay key.
    pub fn replay_token(&self) -> Token<'_> {
        Token {
            issuer: &self.issuer,
            subject: self.subject.as_str(),
            client: self.client_id.as_str(),
            hash: &self.hash,
        }
    }
}

/// Who, and not what would let others look the token up.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut token = f.debug_struct("AccessToken");
        token.field("subject", &self.subject).field("client_id", &self.client_id);
        token.field("scopes", &self.scopes).field("user", &self.user).field("services", &self.services);
        token.finish_non_exhaustive()
    }
}

/// The claims, read by name.
#[derive(Debug)]
pub(super) struct Claims(pub(super) Object);

impl Claims {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn required<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a Self, &str) -> Result<Option<T>, TokenError>,
    ) -> Result<T, TokenError> {
        read(self, name)?.ok_or_else(|| TokenError::MissingClaim(name.to_owned()))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(name)),
        }
    }

    pub(super) fn identifier(&self, name: &str) -> Result<Option<Identifier>, TokenError> {
        self.text(name)?.map(|text| Identifier::new(text).map_err(|_| malformed(name))).transpose()
    }

    /// An instant in whole seconds since 1970.
    pub(super) fn timestamp(&self, name: &str) -> Result<Option<Timestamp>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Integer(at)) => Timestamp::from_unix(*at).map(Some).map_err(|_| malformed(name)),
            Some(_) => Err(malformed(name)),
        }
    }

    pub(super) fn identifiers(&self, name: &str) -> Result<Option<Vec<Identifier>>, TokenError> {
        let array = match self.0.get(name) {
            None => return Ok(None),
            Some(Value::Array(array)) => array,
            Some(_) => return Err(malformed(name)),
        };
        let identifiers = array.iter().map(|item| match item {
            Value::Text(text) => Identifier::new(text).map_err(|_| malformed(name)),
            _ => Err(malformed(name)),
        });
        identifiers.collect::<Result<_, _>>().map(Some)
    }

    /// `aud`: one audience, or several (RFC 7519, section 4.1.3).
    pub(super) fn audiences(&self) -> Result<Option<Vec<Identifier>>, TokenError> {
        match self.0.get("aud") {
            Some(Value::Text(_)) => Ok(self.identifier("aud")?.map(|audience| vec![audience])),
            _ => self.identifiers("aud"),
        }
    }

    /// `scope`: values with one space between two (RFC 6749, section 3.3).
    pub(super) fn scopes(&self, name: &str) -> Result<Option<Vec<String>>, TokenError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let is_scope = |scope: &str| {
            !scope.is_empty() && scope.bytes().all(|octet| octet.is_ascii_graphic() && !b"\"\\".contains(&octet))
        };
        if !text.split(' ').all(is_scope) {
            return Err(malformed(name));
        }
        Ok(Some(text.split(' ').map(str::to_owned).collect()))
    }

    /// `cnf`: its one member `x5t#S256`, base64url of the SHA-256 of a certificate (RFC 8705, section 3.1).
    pub(super) fn confirmation(&self) -> Result<Option<&str>, TokenError> {
        match self.0.get("cnf") {
            None => Ok(None),
            Some(Value::Object(cnf)) if cnf.len() == 1 => match cnf.get("x5t#S256") {
                Some(Value::Text(thumbprint)) => Ok(Some(thumbprint)),
                _ => Err(TokenError::Confirmation),
            },
            Some(_) => Err(TokenError::Confirmation),
        }
    }
}

fn malformed(name: &str) -> TokenError {
    TokenError::Claim(name.to_owned())
}
