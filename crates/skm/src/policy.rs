//! Who may do what.
//!
//! A client in a UE has what its token names: the services that it lists, and of each the material of the service, of
//! the token's client, of the token's subject as a device, and of the token's user. A server shows a certificate as
//! well; the token's client and the certificate's name stand in one row of the policy, which gives it roles and
//! services. A row widens nothing that a token narrows. The keys of another user are read by a delegate alone.
//!
//! Names are compared octet for octet. Whether a record exists plays no part.

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{ANONYMOUS, Failure, Identifier, Subject};

use crate::tls::{ClientCertificate, San};
use crate::token::AccessToken;

/// What a server may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// `sgm`: a group management server, on SEAL-X1; it reads identity keys under its own URI.
    GroupManager,
    /// `val`: a VAL server, on KM-S.
    ValServer,
    /// `provisioner`: it stores records, on KM-S.
    Provisioner,
}

impl Role {
    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "sgm" => Self::GroupManager,
            "val" => Self::ValServer,
            "provisioner" => Self::Provisioner,
            _ => return None,
        })
    }
}

/// What one server may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name in its certificate.
    pub san: San,
    /// The client in its tokens.
    pub client_id: Identifier,
    /// Its own URI, if it has one.
    pub uri: Option<Uri>,
    /// What it is.
    pub roles: Vec<Role>,
    /// The services that it is for.
    pub services: Vec<Identifier>,
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

/// What the store says about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The user of the token, or the one whose keys are asked for, is blocked.
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
#[error("two policy rows are for the certificate {san} and the client {client_id}")]
pub struct DuplicateRow {
    /// The name in the certificate.
    pub san: San,
    /// The client.
    pub client_id: Identifier,
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
                return Err(DuplicateRow { san: row.san.clone(), client_id: row.client_id.clone() });
            }
        }
        Ok(Self { settings, rows })
    }

    /// Whether key material of a service may be read.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn may_read(
        &self,
        token: &AccessToken,
        channel: Channel<'_>,
        service: &Identifier,
        subject: &Subject,
        standing: Standing,
    ) -> Result<Right, Refusal> {
        if !token.has_scope(&self.settings.scope_km) {
            return Err(Refusal::Scope);
        }
        let row = match channel {
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
            Subject::Client(client) if client == token.client_id() => Ok(Right::Own),
            Subject::Client(_) => Err(Refusal::Client),
            Subject::Device(device) if device == token.subject() => Ok(Right::Own),
            Subject::Device(_) => Err(Refusal::Device),
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
        let row = self.row(token, certificate, Role::Provisioner)?;
        if *service == self.settings.identity_service {
            return Err(Refusal::ReservedService);
        }
        if is_for_service(token, Some(row), service, false) { Ok(()) } else { Err(Refusal::Service) }
    }

    /// UserUri of the answer: the user that is asked for, else that of the token, else that of the row, else nobody.
    pub fn user_uri(&self, token: &AccessToken, channel: Channel<'_>, subject: &Subject) -> Option<Uri> {
        let of_token = || token.user().and_then(|user| Uri::parse(user.as_str()).ok());
        let of_row = || {
            let (Channel::KmS(certificate) | Channel::SealX1(certificate)) = channel else { return None };
            self.find(token, certificate?).and_then(|row| row.uri.clone())
        };
        match subject {
            Subject::User(user) => Some(user.clone()),
            _ => of_token().or_else(of_row).or_else(|| Uri::parse(ANONYMOUS).ok()),
        }
    }

    fn find(&self, token: &AccessToken, certificate: &ClientCertificate) -> Option<&Row> {
        self.rows.iter().find(|row| row.san == *certificate.san() && row.client_id == *token.client_id())
    }

    /// The row of a certificate and a client, with a role.
    fn row(&self, token: &AccessToken, certificate: Option<&ClientCertificate>, role: Role) -> Result<&Row, Refusal> {
        let certificate = certificate.ok_or(Refusal::NoCertificate)?;
        let row = self.find(token, certificate).ok_or(Refusal::NoRow)?;
        if row.roles.contains(&role) { Ok(row) } else { Err(Refusal::Role) }
    }
}

/// Without a row the token has to name the service; with one the row or its role has to, and the token may not leave it
/// out of its list.
fn is_for_service(token: &AccessToken, row: Option<&Row>, service: &Identifier, by_role: bool) -> bool {
    let listed = is_listed(token, service);
    let Some(row) = row else { return listed == Some(true) };
    listed != Some(false) && (by_role || row.services.contains(service))
}

/// Whether the token lists the service, if it lists any.
fn is_listed(token: &AccessToken, service: &Identifier) -> Option<bool> {
    token.services().map(|services| services.contains(service))
}

/// Whether a user is that of the token, or the server itself.
fn is_own(user: &Uri, token: &AccessToken, row: Option<&Row>) -> bool {
    let is_token_user = token.user().is_some_and(|own| own.as_str() == user.as_str());
    is_token_user || row.and_then(|row| row.uri.as_ref()).is_some_and(|own| own.as_str() == user.as_str())
}
