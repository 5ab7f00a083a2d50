//! New master secrets, while time goes on.

use std::sync::{Arc, LazyLock};

use getrandom::SysRng;
use mikey_sakke::documents::{KmsMessage, KmsResponse, Tolerances};
use mikey_sakke::error::Error;
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Profile, Purpose, Recipient, Responder};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::time::Timestamp;
use skm::domain::{ImportError, RolloverError, Start, roll_over};

use super::{ALICE, Asker, BOB, House, KMS, MASTER, PERIOD, event, outcome, payload};
use crate::support::NOW;

/// What the next keys are given out before the end of a period, how far a request may be dated ahead, and how exact
/// clocks are.
const LEAD: u64 = 172_800;
const WINDOW: u64 = 5;
const MARGIN: u64 = 60;

static NEW: LazyLock<Kms> = LazyLock::new(kms);

fn kms() -> Kms {
    Kms::generate(Uri::parse(KMS).unwrap(), UidFormat::hashed(PERIOD, 0).unwrap(), &mut SysRng).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

impl House {
    async fn roll_over(&self, kms: &Kms, start: Start) -> Result<u64, RolloverError> {
        let event = skm::audit::Event { time: at(self.now()), ..event() };
        let result = roll_over(self.service.store(), &self.config, kms, start, &event).await;
        // Until the server has noticed.
        self.pass(2);
        result
    }

    async fn domain(&self) -> Domain {
        let document = self.service.domain_document(&self.connect(&Asker::alice()).caller()).await.unwrap();
        Domain::from_json(document.as_bytes()).unwrap()
    }

    /// The keys that Alice is given, each taken into use with the certificate of the domain for its period.
    async fn keys_of_alice(&self) -> Vec<UserKeys> {
        self.pass(1);
        let answer = self.keys(&Asker::alice(), ALICE).await;
        assert_eq!(outcome(&answer), (200, ""));
        let response = KmsResponse::from_xml(payload(&answer.response).unwrap().as_bytes(), Tolerances::default());
        let Some(KmsMessage::KeyProv(provision)) = response.unwrap().message else { panic!("no KmsKeyProv") };
        let domain = self.domain().await;
        let import = |key_set: &mikey_sakke::documents::KmsKeySet| {
            let (start, _) = domain.uid_format().span(KeyPeriod::Number(key_set.key_period_no)).unwrap();
            let certificate = domain.trusted_certificates().select(domain.kms_uri(), start).unwrap();
            key_set.import(certificate, None).unwrap()
        };
        provision.key_sets.iter().map(import).collect()
    }
}

/// Of which master secrets keys are, and of which period.
fn what(keys: &[UserKeys]) -> Vec<(&'static str, KeyPeriod)> {
    let name = |keys: &UserKeys| if keys.certificate().has_the_keys_of(NEW.certificate()) { "new" } else { "old" };
    keys.iter().map(|keys| (name(keys), keys.period())).collect()
}

#[tokio::test]
async fn each_period_has_keys_of_its_certificate() {
    let house = House::new().await;
    let (number, start) = house.period();
    let number = |periods: u64| KeyPeriod::Number(number + periods);
    let KeyPeriod::Number(from) = number(2) else { unreachable!() };
    assert_eq!(house.roll_over(&NEW, Start::Period(from)).await.unwrap(), from);
    assert_eq!(what(&house.keys_of_alice().await), [("old", number(0))]);
    let begin = start + 2 * PERIOD;
    house.set_now(begin - LEAD - 10);
    assert_eq!(what(&house.keys_of_alice().await), [("old", number(1))]);
    house.set_now(begin - LEAD);
    assert_eq!(what(&house.keys_of_alice().await), [("old", number(1)), ("new", number(2))]);
    house.set_now(begin - 10);
    let before = house.keys_of_alice().await;
    house.set_now(begin);
    let after = house.keys_of_alice().await;
    assert_eq!(what(&after), [("new", number(2))]);

    // Bob, who writes on both sides of the boundary, and has other keys by then.
    let domain = house.domain().await;
    let keys_of_bob = |kms: &Kms, period| {
        let certificate =
            domain.trusted_certificates().iter().find(|certificate| certificate.has_the_keys_of(kms.certificate()));
        UserKeys::import(certificate.unwrap(), &kms.issue(&Uri::parse(BOB).unwrap(), period, &mut SysRng).unwrap())
    };
    let write = |keys: UserKeys, to: &Kms, time| {
        let bundle = KeyBundle::generate(Profile::seal(Purpose::new(1).unwrap()), &mut SysRng).unwrap();
        let recipient = Recipient { user: Uri::parse(ALICE).unwrap(), certificate: to.certificate().clone() };
        let message = Initiator::new(Arc::new(keys)).distribute(&bundle, &recipient, time, &mut SysRng);
        (message.unwrap(), bundle)
    };
    let mut responder = Responder::new(Arc::new(before.into_iter().next().unwrap()), Policy::default());
    responder.add_keys(Arc::new(after.into_iter().next().unwrap()));
    for certificate in domain.trusted_certificates().iter() {
        responder.trust(certificate.clone()).unwrap();
    }
    let (last, first) = (at(begin - 1), at(begin + 1));
    let (old, sent) = write(keys_of_bob(&MASTER, number(1)).unwrap(), &MASTER, last);
    assert_eq!(&responder.extract(&old, first).unwrap().key, sent.key());
    let (new, sent) = write(keys_of_bob(&NEW, number(2)).unwrap(), &NEW, first);
    assert_eq!(&responder.extract(&new, first).unwrap().key, sent.key());
    // Whoever has the old master secrets can make such keys; the certificate knows no end.
    let key_set = MASTER.issue(&Uri::parse(BOB).unwrap(), number(2), &mut SysRng).unwrap();
    let forged = UserKeys::import(MASTER.certificate(), &key_set).unwrap();
    let (forged, _) = write(forged, &NEW, first);
    assert_eq!(responder.extract(&forged, first).unwrap_err(), Error::Rejected);
}

#[tokio::test]
async fn no_keys_may_have_been_given_out_for_the_first_period() {
    let house = House::new().await;
    let (present, start) = house.period();
    let cases = [
        (NOW, present + 1),
        (start + PERIOD - LEAD - WINDOW - MARGIN - 1, present + 1),
        // A request may be dated ahead, by a server whose clock is.
        (start + PERIOD - LEAD - WINDOW - MARGIN, present + 2),
        (start + PERIOD - 1, present + 2),
        (start + PERIOD, present + 2),
    ];
    for (now, first) in cases {
        for from in [0, present, first - 1] {
            house.set_now(now);
            let refused = house.roll_over(&NEW, Start::Period(from)).await.unwrap_err();
            assert!(matches!(refused, RolloverError::TooEarly { earliest } if earliest == first), "{now}: {refused}");
        }
    }
    assert_eq!(house.domain().await.certificates().len(), 1);
    house.set_now(start + PERIOD - 1);
    assert_eq!(house.roll_over(&NEW, Start::Period(present + 2)).await.unwrap(), present + 2);
    let refused = house.roll_over(&kms(), Start::Period(present + 7)).await.unwrap_err();
    assert!(matches!(refused, RolloverError::Planned(planned) if planned == present + 2));
    // Once they count, others may follow.
    house.set_now(start + 2 * PERIOD);
    assert_eq!(house.roll_over(&kms(), Start::Period(present + 3)).await.unwrap(), present + 3);
    let ranges = house.domain().await.certificates().iter().map(|entry| entry.periods().to).collect::<Vec<_>>();
    assert_eq!(ranges, [Some(present + 1), Some(present + 2), None]);
}

#[tokio::test]
async fn at_once_there_are_keys_of_the_new_ones_alone() {
    let house = House::new().await;
    let (present, start) = house.period();
    house.set_now(start + PERIOD - LEAD);
    let both = [present, present + 1].map(KeyPeriod::Number);
    assert_eq!(what(&house.keys_of_alice().await), both.map(|period| ("old", period)));
    assert_eq!(house.roll_over(&NEW, Start::Now).await.unwrap(), present);
    assert_eq!(what(&house.keys_of_alice().await), both.map(|period| ("new", period)), "those of the next period too");
    let domain = house.domain().await;
    assert!(domain.trusted_certificates().is_revoked(MASTER.certificate()));
    let audit = house.audit(0).await;
    let entry = audit.iter().find(|entry| entry.target.ends_with(", all before it revoked")).unwrap();
    assert_eq!((entry.action.as_str(), entry.period), ("domain", Some(present.cast_signed())));
    // What was revoked does not come back.
    for kms in [&*MASTER, &NEW] {
        let refused = house.roll_over(kms, Start::Period(present + 9)).await.unwrap_err();
        assert!(matches!(refused, RolloverError::Known));
    }
    let half = Kms::new(
        Uri::parse(KMS).unwrap(),
        UidFormat::hashed(PERIOD, 0).unwrap(),
        MASTER.ksak().clone(),
        NEW.master_secret().clone(),
    );
    assert!(matches!(house.roll_over(&half.unwrap(), Start::Now).await, Err(RolloverError::Known)));
}

#[tokio::test]
async fn a_domain_without_master_secrets_has_none_to_replace() {
    let house = House::without_keys(|_| {}).await;
    let refused = house.roll_over(&NEW, Start::Now).await.unwrap_err();
    assert!(matches!(refused, RolloverError::None));
    house.import().await;
    let other =
        Kms::generate(Uri::parse("kms.example.net").unwrap(), UidFormat::hashed(PERIOD, 0).unwrap(), &mut SysRng);
    let refused = house.roll_over(&other.unwrap(), Start::Now).await.unwrap_err();
    assert!(matches!(refused, RolloverError::Import(ImportError::OtherKms)));
}
