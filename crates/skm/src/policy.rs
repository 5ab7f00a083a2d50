//! Who may do what.
//!
//! A client in a UE has what its token names: the services that it lists, and of each the material of the service, of
//! the token's client, of the token's subject as a device, and of the token's user. A server shows a certificate as
//! well; the token's client and the certificate's name stand in one row of the policy, which gives it roles and
//! services. A row widens nothing that a token narrows. By CAPIF (3GPP TS 33.122) a VAL server may show the token of
//! the core function instead, which is for this API exposing function and API and otherwise leaves it to the row; or,
//! by the PKI method, its certificate alone, for which there has to be a row without a client. The keys of another user
//! are read by a delegate alone, and those of a group manager, which may distribute keys to groups, by itself alone.
//!
//! Names are compared octet for octet. Whether a record exists plays no part.

use std::collections::BTreeSet;

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{Failure, Identifier, Subject};
use serde::Deserialize;

use crate::config::read;
use crate::tls::{ClientCertificate, San};
use crate::token::AccessToken;

/// What a server may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Role {
    /// `sgm`: a group management server, on SEAL-X1; it reads identity keys under its own URI.
    #[serde(rename = "sgm")]
    GroupManager,
    /// `val`: a VAL server, on KM-S.
    #[serde(rename = "val")]
    ValServer,
    /// `provisioner`: it stores records, on KM-S.
    #[serde(rename = "provisioner")]
    Provisioner,
}

/// `[[policy]]`: what one server may do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The name in its certificate.
    #[serde(deserialize_with = "read::san")]
    pub san: San,
    /// The client in its tokens; without one it has none, and is known by its certificate alone (PKI method of CAPIF).
    #[serde(default, deserialize_with = "read::optional_identifier")]
    pub client_id: Option<Identifier>,
    /// Its own URI, if it has one.
    #[serde(default, deserialize_with = "read::optional_uri")]
    pub uri: Option<Uri>,
    /// What it is.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// The services that it is for.
    #[serde(default, deserialize_with = "read::identifiers")]
    pub services: Vec<Identifier>,
}

impl Row {
    fn is_group_manager(&self) -> bool {
        self.roles.contains(&Role::GroupManager)
    }
}

/// The names that the policy depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// The scope for reading key material.
    pub scope_km: String,
    /// The scope for provisioning.
    pub scope_kp: String,
    /// The service under which identity keys are read; records cannot be stored under it.
    pub identity_service: Identifier,
    /// This server, which speaks for the domain to others by keys under its URI: nobody gets them.
    pub skms_uri: Uri,
    /// What this server is to CAPIF, if it is anything.
    pub service_api: Option<ServiceApi>,
}

/// An API of an API exposing function, as a CAPIF core function names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceApi {
    /// The API exposing function.
    pub aef_id: String,
    /// The API.
    pub api_name: String,
}

/// The way in which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel<'a> {
    /// KM-UU: from a UE, without certificate.
    KmUu,
    /// KM-S: from a VAL server or a provisioner, with this certificate.
    KmS(Option<&'a ClientCertificate>),
    /// SEAL-X1: from a group management server, with this certificate.
    SealX1(Option<&'a ClientCertificate>),
}

impl<'a> Channel<'a> {
    /// The certificate.
    pub const fn certificate(self) -> Option<&'a ClientCertificate> {
        match self {
            Self::KmUu => None,
            Self::KmS(certificate) | Self::SealX1(certificate) => certificate,
        }
    }
}

/// What the store says about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// One of those [`concerned`](Policy::concerned) is blocked.
    pub blocked: bool,
    /// The principal is a delegate for exactly this user, and still is now.
    pub delegate: bool,
}

/// By what right a request is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// It is for what the token or the row names.
    Own,
    /// It is for a user whose delegate the principal is.
    Delegate,
}

/// Why a request is not permitted, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The token lacks the scope.
    #[error("the token lacks the scope")]
    Scope,
    /// Provisioning is not offered on this listener.
    #[error("this listener is not for provisioning")]
    Channel,
    /// The connection has no client certificate.
    #[error("there is no client certificate")]
    NoCertificate,
    /// No row has this certificate's name and this token's client.
    #[error("no policy row has this certificate and this client")]
    NoRow,
    /// The row does not have the role.
    #[error("the policy row lacks the role")]
    Role,
    /// The user is blocked.
    #[error("the user is blocked")]
    Blocked,
    /// The service is reserved for identity keys.
    #[error("the service is reserved for identity keys")]
    ReservedService,
    /// The token or the row does not name the service.
    #[error("the service is not permitted")]
    Service,
    /// It is for another client than that of the token.
    #[error("the client is another one")]
    Client,
    /// It is for another device than the subject of the token.
    #[error("the device is another one")]
    Device,
    /// It is for the identity keys of a group manager, which has them by its row, on SEAL-X1.
    #[error("the keys of a group manager are for itself alone")]
    GroupManager,
    /// It is for the identity keys of this server.
    #[error("the keys of the server are for itself alone")]
    Server,
    /// It is for another user.
    #[error("the user is another one")]
    User,
}

impl From<Refusal> for Failure {
    fn from(_: Refusal) -> Self {
        Self::NotPermitted
    }
}

/// Two rows are for the same certificate and client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two policy rows are for the certificate {san} and the same client, or both without one")]
pub struct DuplicateRow {
    /// The name in the certificate.
    pub san: San,
}

/// Decides what is permitted.
#[derive(Clone, Debug)]
pub struct Policy {
    settings: PolicySettings,
    rows: Vec<Row>,
}

impl Policy {
    /// A policy of rows.
    ///
    /// # Errors
    ///
    /// [`DuplicateRow`].
    pub fn new(settings: PolicySettings, rows: Vec<Row>) -> Result<Self, DuplicateRow> {
        for (index, row) in rows.iter().enumerate() {
            if rows[..index].iter().any(|other| other.san == row.san && other.client_id == row.client_id) {
                return Err(DuplicateRow { san: row.san.clone() });
            }
        }
        Ok(Self { settings, rows })
    }

    /// Whether key material of a service may be read, with a token or, by the PKI method of CAPIF, without.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn may_read(
        &self,
        token: Option<&AccessToken>,
        channel: Channel<'_>,
        service: &Identifier,
        subject: &Subject,
        standing: Standing,
    ) -> Result<Right, Refusal> {
        if !token.is_none_or(|token| self.is_for_reading(token)) {
            return Err(Refusal::Scope);
        }
        let row = match channel {
            Channel::KmUu if !token.is_some_and(AccessToken::is_of_seal) => return Err(Refusal::Channel),
            Channel::KmUu => None,
            Channel::KmS(certificate) => Some(self.row(token, certificate, Role::ValServer)?),
            Channel::SealX1(certificate) => Some(self.row(token, certificate, Role::GroupManager)?),
        };
        if standing.blocked {
            return Err(Refusal::Blocked);
        }
        // A group manager has the identity keys by its role, on SEAL-X1.
        let by_role = matches!(channel, Channel::SealX1(_)) && *service == self.settings.identity_service;
        if !is_for_service(token, row, service, by_role) {
            return Err(Refusal::Service);
        }
        match subject {
            Subject::Service => Ok(Right::Own),
            Subject::Client(client) if Some(client) == token.map(AccessToken::client_id) => Ok(Right::Own),
            Subject::Client(_) => Err(Refusal::Client),
            Subject::Device(device) if Some(device) == token.and_then(AccessToken::device) => Ok(Right::Own),
            Subject::Device(_) => Err(Refusal::Device),
            Subject::User(user) if *service == self.settings.identity_service && *user == self.settings.skms_uri => {
                Err(Refusal::Server)
            }
            Subject::User(user) if *service == self.settings.identity_service && self.is_group_manager(user) => {
                let is_itself = row.and_then(|row| row.uri.as_ref()) == Some(user);
                if is_itself && matches!(channel, Channel::SealX1(_)) {
                    Ok(Right::Own)
                } else {
                    Err(Refusal::GroupManager)
                }
            }
            Subject::User(user) if is_own(user, token, row) => Ok(Right::Own),
            Subject::User(_) if standing.delegate => Ok(Right::Delegate),
            Subject::User(_) => Err(Refusal::User),
        }
    }

    /// Whether the records of a service may be stored, listed and removed: with certificate, scope and row.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn may_provision(
        &self,
        token: &AccessToken,
        channel: Channel<'_>,
        service: &Identifier,
    ) -> Result<(), Refusal> {
        if !token.has_scope(&self.settings.scope_kp) {
            return Err(Refusal::Scope);
        }
        let Channel::KmS(certificate) = channel else { return Err(Refusal::Channel) };
        let row = self.row(Some(token), certificate, Role::Provisioner)?;
        if *service == self.settings.identity_service {
            return Err(Refusal::ReservedService);
        }
        if is_for_service(Some(token), Some(row), service, false) { Ok(()) } else { Err(Refusal::Service) }
    }

    /// Whether what the server publishes of its domain may be read: with the scope, and a row where certificates are
    /// demanded.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn may_read_domain(&self, token: &AccessToken, channel: Channel<'_>, blocked: bool) -> Result<(), Refusal> {
        if !token.has_scope(&self.settings.scope_km) {
            return Err(Refusal::Scope);
        }
        if let Channel::KmS(certificate) | Channel::SealX1(certificate) = channel {
            let certificate = certificate.ok_or(Refusal::NoCertificate)?;
            self.find(Some(token), certificate).ok_or(Refusal::NoRow)?;
        }
        if blocked { Err(Refusal::Blocked) } else { Ok(()) }
    }

    /// UserUri of the answer: the user that is asked for, else that of the token, else that of the row, if any.
    pub fn user_uri(&self, token: Option<&AccessToken>, channel: Channel<'_>, subject: &Subject) -> Option<Uri> {
        self.concerned(token, channel, subject).into_iter().next()
    }

    /// Whom a request concerns, any of whom may be blocked: the user that is asked for, that of the token, and that of
    /// the row.
    pub fn concerned(&self, token: Option<&AccessToken>, channel: Channel<'_>, subject: &Subject) -> Vec<Uri> {
        let asked = if let Subject::User(user) = subject { Some(user.clone()) } else { None };
        let of_token = token.and_then(AccessToken::user).and_then(|user| Uri::parse(user.as_str()).ok());
        let of_row = channel.certificate().and_then(|certificate| self.find(token, certificate)?.uri.clone());
        [asked, of_token, of_row].into_iter().flatten().collect()
    }

    /// The service under which identity keys are read.
    pub const fn identity_service(&self) -> &Identifier {
        &self.settings.identity_service
    }

    /// groupManagers of the domain: those who may distribute keys to groups.
    pub fn group_managers(&self) -> BTreeSet<Uri> {
        self.rows.iter().filter(|row| row.is_group_manager()).filter_map(|row| row.uri.clone()).collect()
    }

    fn is_group_manager(&self, user: &Uri) -> bool {
        self.rows.iter().any(|row| row.is_group_manager() && row.uri.as_ref() == Some(user))
    }

    /// Whether a row is for the certificate alone.
    pub fn needs_no_token(&self, channel: Channel<'_>) -> bool {
        channel.certificate().is_some_and(|certificate| self.find(None, certificate).is_some())
    }

    /// Whether a token is for reading key material, by its scope.
    fn is_for_reading(&self, token: &AccessToken) -> bool {
        match &self.settings.service_api {
            Some(ServiceApi { aef_id, api_name }) if !token.is_of_seal() => token.is_for_service_api(aef_id, api_name),
            _ => token.has_scope(&self.settings.scope_km),
        }
    }

    fn find(&self, token: Option<&AccessToken>, certificate: &ClientCertificate) -> Option<&Row> {
        let client = token.map(AccessToken::client_id);
        self.rows.iter().find(|row| row.san == *certificate.san() && row.client_id.as_ref() == client)
    }

    /// The row of a certificate and a client, with a role.
    fn row(
        &self,
        token: Option<&AccessToken>,
        certificate: Option<&ClientCertificate>,
        role: Role,
    ) -> Result<&Row, Refusal> {
        let certificate = certificate.ok_or(Refusal::NoCertificate)?;
        let row = self.find(token, certificate).ok_or(Refusal::NoRow)?;
        if row.roles.contains(&role) { Ok(row) } else { Err(Refusal::Role) }
    }
}

/// Who makes a request, as the audit log names it: the name in its certificate; without one the token's user, else its
/// subject.
pub fn principal<'a>(token: Option<&'a AccessToken>, channel: Channel<'a>) -> &'a str {
    delegate(token, channel).or(token.map(|token| token.subject().as_str())).unwrap_or_default()
}

/// Who makes a request, as a delegate is named: by its certificate, or without one by the token's user.
pub fn delegate<'a>(token: Option<&'a AccessToken>, channel: Channel<'a>) -> Option<&'a str> {
    match channel.certificate() {
        Some(certificate) => Some(certificate.san().as_str()),
        None => token?.user().map(Identifier::as_str),
    }
}

/// Without a row the token has to name the service; with one the row or its role has to, and the token may not leave it
/// out of its list.
fn is_for_service(token: Option<&AccessToken>, row: Option<&Row>, service: &Identifier, by_role: bool) -> bool {
    let listed = is_listed(token, service);
    let Some(row) = row else { return listed == Some(true) };
    listed != Some(false) && (by_role || row.services.contains(service))
}

/// Whether the token lists the service, if it lists any.
fn is_listed(token: Option<&AccessToken>, service: &Identifier) -> Option<bool> {
    token?.services().map(|services| services.contains(service))
}

/// Whether a user is that of the token, or the server itself.
fn is_own(user: &Uri, token: Option<&AccessToken>, row: Option<&Row>) -> bool {
    let is_token_user = token.and_then(AccessToken::user).is_some_and(|own| own.as_str() == user.as_str());
    is_token_user || row.and_then(|row| row.uri.as_ref()).is_some_and(|own| own.as_str() == user.as_str())
}
