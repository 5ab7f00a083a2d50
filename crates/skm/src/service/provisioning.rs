//! Storing records, for those who may.

use mikey_sakke::km::record::Record;
use mikey_sakke::km::{BodyError, Failure, Identifier, Kind, Subject};
use serde_json::{Map, Value};

use super::caller::malformed;
use super::retrieval::target;
use super::session::{Refused, Session};
use super::{Body, Metadata, Precondition, Problem, RecordPath, Service, Stored};
use crate::audit::{Action, Outcome};
use crate::policy::Refusal;
use crate::store::{Change, Condition, Version};

/// What a precondition comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// A condition of the store.
    Condition(Condition),
    /// The record has one of these versions; none if no version will do.
    OneOf(Vec<Version>),
}

impl Service {
    pub(super) async fn store_record(
        &self,
        session: &mut Session<'_>,
        path: RecordPath<'_>,
        precondition: Precondition<'_>,
        body: Body<'_>,
    ) -> Result<Stored, Refused> {
        session.trace.action = Action::Provision;
        let record = Record::from_json(body.read()?).map_err(malformed)?;
        let (service, subject) = self.provisioned(session, path).await?;
        let condition = self.condition(&service, &subject, wanted(precondition)?).await?;
        let event = session.event(Outcome::Done);
        match self.store.put_record(&service, &subject, &record, condition, &event).await? {
            Change::Created(version) => Ok(Stored { is_new: true, version }),
            Change::Replaced(version) => Ok(Stored { is_new: false, version }),
            Change::Conflict | Change::Deleted | Change::NotFound => Err(conflict()),
        }
    }

    pub(super) async fn describe_record(
        &self,
        session: &mut Session<'_>,
        path: RecordPath<'_>,
    ) -> Result<Metadata, Refused> {
        let (service, subject) = self.provisioned(session, path).await?;
        let (version, record) = self.store.record(&service, &subject).await?.ok_or(Failure::NoRecord)?;
        let validity = record.validity();
        let mut json = Map::from_iter([("UserUri".to_owned(), Value::from(record.user_uri().as_str()))]);
        for (name, at) in [("ValidFrom", validity.from), ("ValidTo", validity.to)] {
            json.extend(at.map(|at| (name.to_owned(), Value::from(at.to_unix()))));
        }
        Ok(Metadata { version, json: Value::from(json).to_string() })
    }

    pub(super) async fn remove_record(
        &self,
        session: &mut Session<'_>,
        path: RecordPath<'_>,
        if_match: Option<&[u8]>,
    ) -> Result<(), Refused> {
        session.trace.action = Action::DeleteRecord;
        let (service, subject) = self.provisioned(session, path).await?;
        let wanted = wanted(Precondition { if_match, if_none_match: None })?;
        let condition = self.condition(&service, &subject, wanted).await?;
        match self.store.delete_record(&service, &subject, condition, &session.event(Outcome::Done)).await? {
            Change::Deleted => Ok(()),
            Change::NotFound => Err(Failure::NoRecord.into()),
            Change::Conflict | Change::Created(_) | Change::Replaced(_) => Err(conflict()),
        }
    }

    /// The record that a path is of, if it may be provisioned.
    async fn provisioned(
        &self,
        session: &mut Session<'_>,
        path: RecordPath<'_>,
    ) -> Result<(Identifier, Subject), Refused> {
        let service = Identifier::new(path.service).map_err(|_| malformed(BodyError::Length("ServiceID")))?;
        let subject = subject(path)?;
        session.trace.target = target(&service, &subject);
        self.policy.may_provision(session.token()?, session.channel(), &service)?;
        // Whom the record is for does not matter: it may be stored for when the user is no longer blocked.
        if self.is_blocked(session, &Subject::Service).await? {
            return Err(Refusal::Blocked.into());
        }
        Ok((service, subject))
    }

    async fn condition(&self, service: &Identifier, subject: &Subject, wanted: Wanted) -> Result<Condition, Refused> {
        let versions = match wanted {
            Wanted::Condition(condition) => return Ok(condition),
            Wanted::OneOf(versions) => versions,
        };
        let present = self.store.record(service, subject).await?.map(|(version, _)| version);
        present.filter(|present| versions.contains(present)).map(Condition::Is).ok_or_else(conflict)
    }
}

fn subject(path: RecordPath<'_>) -> Result<Subject, Failure> {
    let Some((kind, id)) = path.subject else { return Ok(Subject::Service) };
    let kind = Kind::from_name(kind).filter(|kind| *kind != Kind::Service).ok_or(Failure::NoRecord)?;
    Subject::new(kind, id).map_err(|_| {
        malformed(match kind {
            Kind::User => BodyError::Uri("the identifier in the path"),
            _ => BodyError::Length("the identifier in the path"),
        })
    })
}

fn conflict() -> Refused {
    let problem = Problem::new(412, "Precondition Failed", "PRECONDITION", "the record is not as the request has it");
    Refused { problem: Some(Box::new(problem)), ..Failure::NotPermitted.into() }
}

/// A tag that is not one of this server, or weak, matches nothing (RFC 9110, section 13.1.1).
fn wanted(precondition: Precondition<'_>) -> Result<Wanted, Failure> {
    let Precondition { if_match, if_none_match } = precondition;
    if if_none_match.is_some_and(|value| value.trim_ascii() != b"*") {
        return Err(malformed(BodyError::Text("If-None-Match")));
    }
    let Some(tags) = if_match else {
        return Ok(Wanted::Condition(if if_none_match.is_some() { Condition::Absent } else { Condition::Any }));
    };
    if if_none_match.is_some() {
        return Ok(Wanted::OneOf(Vec::new()));
    }
    if tags.trim_ascii() == b"*" {
        return Ok(Wanted::Condition(Condition::Present));
    }
    let tags = tags.split(|&octet| octet == b',').filter_map(|tag| str::from_utf8(tag.trim_ascii()).ok());
    Ok(Wanted::OneOf(tags.filter_map(Version::from_etag).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Wanted, Failure> {
        let [if_match, if_none_match] = [if_match, if_none_match].map(|value| value.map(str::as_bytes));
        wanted(Precondition { if_match, if_none_match })
    }

    fn one_of(tags: &[&str]) -> Result<Wanted, Failure> {
        Ok(Wanted::OneOf(tags.iter().filter_map(|tag| Version::from_etag(tag)).collect()))
    }

    #[test]
    fn preconditions() {
        const ONE: &str = "\"0000000000000001\"";
        const TWO: &str = "\"0000000000000002\"";
        assert_eq!(of(None, None), Ok(Wanted::Condition(Condition::Any)));
        assert_eq!(of(Some("*"), None), Ok(Wanted::Condition(Condition::Present)));
        assert_eq!(of(None, Some(" * ")), Ok(Wanted::Condition(Condition::Absent)));
        assert_eq!(of(Some(ONE), None), one_of(&[ONE]));
        assert_eq!(of(Some(&format!("\"x\", {ONE} ,{TWO}")), None), one_of(&[ONE, TWO]));
        for nothing in ["", "W/\"0000000000000001\"", "0000000000000001", "\"1\"", "\"*\"", "\u{e9}"] {
            assert_eq!(of(Some(nothing), None), one_of(&[]), "{nothing}");
        }
        assert_eq!(of(Some("*"), Some("*")), one_of(&[]));
        assert!(of(None, Some(ONE)).is_err());
    }
}
