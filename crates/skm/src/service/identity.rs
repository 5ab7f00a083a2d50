//! The documents of TS 33.180, annex D: the certificate and the keys of a user, the certificates of other domains.

use mikey_sakke::documents::{self, KmsInit, KmsMessage, KmsRequest, NewKeys, Role, Tolerances};
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::km::{BodyError, Failure, Request, RequestError, Subject, replay_key};
use mikey_sakke::time::Timestamp;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::caller::malformed;
use super::retrieval::{Material, Memory};
use super::session::{Refused, Session};
use super::{Body, IdentityResource, Service};
use crate::audit::Action;
use crate::domain::{Asked, Externals};

impl Service {
    pub(super) async fn read_identity(
        &self,
        session: &mut Session<'_>,
        resource: IdentityResource<'_>,
        body: Body<'_>,
    ) -> Result<Zeroizing<String>, Refused> {
        let now = session.moment.time;
        let request = KmsRequest::from_xml(body.read()?, Tolerances::default())
            .map_err(|error| Refused::from(malformed(BodyError::Json)).because(&error.to_string()))?;
        let asked = check_path(resource, &request, now)?;
        if request.kms_uri != self.kms_uri {
            return Err(Failure::from(RequestError::OtherServer).into());
        }
        let subject = Subject::User(request.user_uri.clone());
        let service = self.policy.identity_service().clone();
        let km = Request::new(self.skms_uri.clone(), service, subject, request.time)
            .map_err(|_| malformed(BodyError::Length("UserUri")))?;
        km.check(&self.skms_uri, now, self.window).map_err(Failure::from)?;
        match resource {
            IdentityResource::KeyProv { .. } => {
                let key = document_key(replay_key(&session.token()?.replay_token(), &km), asked);
                let memory = Memory { key, expires: self.remembered(now) };
                let answer = |material| match material {
                    Material::Keys { key_sets, .. } => self.key_provision(&request, key_sets, now),
                    Material::Record(_) => Err(Failure::Internal.into()),
                };
                self.retrieve(session, &km, asked, memory, answer).await
            }
            IdentityResource::Init => {
                self.may_have_documents(session, &km).await?;
                self.kms_response(&request, KmsMessage::Init(self.init(request.time).await?), now)
            }
            IdentityResource::CertCache { number } => {
                self.may_have_documents(session, &km).await?;
                let known = number.and_then(|number| number.parse().ok());
                let cache = Externals::load(&self.store).await?.cache(known);
                self.kms_response(&request, KmsMessage::CertCache(cache), now)
            }
        }
    }

    /// Who may have the keys may have what goes with them.
    async fn may_have_documents(&self, session: &mut Session<'_>, request: &Request) -> Result<(), Refused> {
        let (service, subject) = (request.service_id(), request.subject());
        session.trace.action = Action::Request;
        session.trace.target = subject.value().to_owned();
        let standing = self.standing(session, subject).await?;
        self.policy.may_read(session.token.as_deref(), session.channel(), service, subject, standing)?;
        Ok(())
    }

    /// The certificate for a time.
    async fn init(&self, at: Timestamp) -> Result<KmsInit, Refused> {
        let domain = self.domain().await?.ok_or(Failure::NoRecord)?;
        let Ok(KeyPeriod::Number(period)) = domain.uid_format().period_at(at) else {
            return Err(Failure::NoRecord.into());
        };
        let (certificate, _) = domain.at(period).ok_or(Failure::NoRecord)?;
        let document = documents::KmsCertificate {
            role: Some(Role::Root),
            cert_uri: certificate.cert_uri().map(ToString::to_string),
            ..certificate.certificate().clone().into()
        };
        Ok(KmsInit { certificate: document, new_keys: NewKeys::default() })
    }
}

/// What the path asks for, of which the user is that of the document.
fn check_path(resource: IdentityResource<'_>, request: &KmsRequest, now: Timestamp) -> Result<Asked, Failure> {
    match resource {
        IdentityResource::Init => Ok(Asked::Needed),
        IdentityResource::CertCache { number } => {
            let is_number = number.is_none_or(|number| number.parse::<u64>().is_ok());
            if is_number { Ok(Asked::Needed) } else { Err(malformed(BodyError::Integer("CacheNum"))) }
        }
        IdentityResource::KeyProv { user, time } => {
            if user.is_some_and(|user| user != request.user_uri.as_str()) {
                return Err(malformed(BodyError::Uri("UserUri")));
            }
            let time = time.map(|time| ntp(time, now).ok_or(malformed(BodyError::Integer("time")))).transpose()?;
            Ok(time.map_or(Asked::Needed, Asked::At))
        }
    }
}

/// An NTP timestamp in 16 hexadecimal digits.
fn ntp(digits: &str, now: Timestamp) -> Option<Timestamp> {
    let is_hex = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bits = u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some(Timestamp::from_ntp(bits, now))
}

/// How the server knows such a request again: not as one on the KM route, and by the time that it asks for.
fn document_key(key: [u8; 32], asked: Asked) -> [u8; 32] {
    let time = match asked {
        Asked::Needed => None,
        Asked::At(time) => Some(time.to_ntp().to_be_bytes()),
    };
    let hash = Sha256::new().chain_update(b"KmsRequest replay").chain_update(key);
    hash.chain_update(time.as_ref().map_or(&[][..], |time| time)).finalize().into()
}
