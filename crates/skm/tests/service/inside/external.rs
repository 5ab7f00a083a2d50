//! The certificates of other domains.

use getrandom::SysRng;
use mikey_sakke::documents;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::Identifier;
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::{Kms, KmsCertificate};
use skm::domain::{ExternalError, Externals, Offer, OfferError, Taken, fingerprint, import_external, remove_external};

use super::{Asker, House, KMS, MASTER, PERIOD, event};

const ALWAYS: Periods = Periods { from: 0, to: None };

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

fn certificate(kms: &str) -> KmsCertificate {
    let format = UidFormat::hashed(PERIOD, 0).unwrap();
    Kms::generate(uri(kms), format, &mut SysRng).unwrap().certificate().as_ref().clone()
}

fn domain(certificates: &[(&KmsCertificate, Periods)]) -> Domain {
    let entry = |(certificate, periods): &(&KmsCertificate, Periods)| {
        DomainCertificate::new(certificate, *periods, None).unwrap()
    };
    Domain::new(uri("sip:skms.example.net"), certificates.iter().map(entry).collect()).unwrap()
}

/// A domain with one certificate for all key periods.
pub(crate) fn other_domain(kms: &str) -> Domain {
    domain(&[(&certificate(kms), ALWAYS)])
}

impl House {
    pub(crate) async fn take_in(&self, domain: &Domain) -> Taken {
        self.offer(domain).await.unwrap()
    }

    async fn offer(&self, domain: &Domain) -> Result<Taken, ExternalError> {
        let (store, settings) = (self.service.store(), &self.config.domain);
        let origin = Identifier::new("handed over in person").unwrap();
        import_external(store, settings, &Offer::of_domain(domain), &origin, &event()).await
    }

    async fn externals(&self) -> Externals {
        Externals::load(self.service.store()).await.unwrap()
    }

    async fn acceptable(&self) -> Vec<String> {
        let connection = self.connect(&Asker::alice());
        let document = self.service.domain_document(&connection.caller()).await.unwrap();
        let domain = Domain::from_json(document.as_bytes()).unwrap();
        domain.acceptable_kms.iter().map(ToString::to_string).collect()
    }
}

const fn taken(new: usize, changed: usize, known: usize) -> Taken {
    Taken { new, changed, known }
}

#[tokio::test]
async fn what_is_taken_in_is_published_until_it_is_removed() {
    let house = House::new().await;
    let [one, two] = ["kms.example.net", "kms.example.com"].map(other_domain);
    assert_eq!(house.take_in(&one).await, taken(1, 0, 0));
    assert_eq!(house.take_in(&two).await, taken(1, 0, 0));
    let seen = house.audit(0).await.len();
    let number = house.externals().await.cache_num();
    assert_eq!(house.take_in(&two).await, taken(0, 0, 1));
    assert_eq!(house.externals().await.cache_num(), number, "nothing new, nothing changed");
    assert_eq!(house.audit(seen).await, []);
    assert_eq!(house.acceptable().await, ["kms.example.com", "kms.example.net"]);

    let kept = house.externals().await;
    let entry = &kept.by_kms()[&uri("kms.example.net")][0];
    assert_eq!((entry.origin.as_str(), entry.by.as_str()), ("handed over in person", "operator"));
    assert_eq!(entry.certificate(), &**one.certificates()[0].certificate());

    let store = house.service.store();
    assert_eq!(remove_external(store, &uri("kms.example.net"), &event()).await.unwrap(), 1);
    assert_eq!(remove_external(store, &uri("kms.example.net"), &event()).await.unwrap(), 0);
    assert_eq!(house.acceptable().await, ["kms.example.com"]);
    assert!(house.externals().await.cache_num() > number);
}

#[tokio::test]
async fn keys_change_by_a_document_that_says_how_the_old_ones_end_and_never_silently() {
    let house = House::new().await;
    let [old, new] = [(); 2].map(|()| certificate("kms.example.net"));
    house.take_in(&domain(&[(&old, ALWAYS)])).await;
    let number = house.externals().await.cache_num();
    for other in [(&new, ALWAYS), (&new, Periods { from: 1_600, to: None })] {
        let refused = house.offer(&domain(&[other])).await.unwrap_err();
        assert!(matches!(refused, ExternalError::Overlap(kms) if kms == uri("kms.example.net")));
    }
    assert_eq!(house.externals().await.cache_num(), number);

    let first = Periods { from: 0, to: Some(1_599) };
    let rolled_over = domain(&[(&new, Periods { from: 1_600, to: None }), (&old, first)]);
    assert_eq!(house.take_in(&rolled_over).await, taken(1, 1, 0));
    let kept = house.externals().await;
    let fingerprints: Vec<_> = kept.certificates().iter().map(|entry| fingerprint(entry.certificate())).collect();
    assert_eq!(fingerprints, [fingerprint(&old), fingerprint(&new)]);
    assert!(kept.ends().is_empty());
}

#[tokio::test]
async fn what_is_revoked_stays_revoked() {
    let house = House::new().await;
    let [old, new] = [(); 2].map(|()| certificate("kms.example.net"));
    let before = domain(&[(&old, ALWAYS)]);
    house.take_in(&before).await;
    let (revoked, from) = (old.clone().revoked(), Periods { from: 1_500, to: None });
    assert_eq!(house.take_in(&domain(&[(&revoked, ALWAYS)])).await, taken(0, 1, 0));
    assert_eq!(house.acceptable().await, [] as [&str; 0]);
    assert_eq!(house.take_in(&domain(&[(&revoked, ALWAYS), (&new, from)])).await, taken(1, 0, 1));
    assert_eq!(house.acceptable().await, ["kms.example.net"]);
    assert_eq!(house.take_in(&before).await, taken(0, 0, 1), "an older copy");
    assert!(house.externals().await.trusted().is_revoked(&old));
}

#[tokio::test]
async fn a_kms_cannot_be_the_one_of_this_domain() {
    let house = House::new().await;
    for certificate in [certificate(KMS), MASTER.certificate().as_ref().clone()] {
        let refused = house.offer(&domain(&[(&certificate, ALWAYS)])).await.unwrap_err();
        assert!(matches!(refused, ExternalError::OwnKms));
    }
}

#[tokio::test]
async fn of_those_who_change_at_the_same_time_none_is_lost() {
    let house = House::new().await;
    let [one, two] = ["kms.example.net", "kms.example.com"].map(other_domain);
    let both = tokio::join!(house.take_in(&one), house.take_in(&two));
    assert_eq!(both, (taken(1, 0, 0), taken(1, 0, 0)));
    assert_eq!(house.acceptable().await, ["kms.example.com", "kms.example.net"]);
}

#[tokio::test]
async fn when_certificates_end_is_counted() {
    let house = House::new().await;
    let (number, start) = house.period();
    let watched = async || {
        house.pass(60);
        house.service.watch_certificates().await;
        let text = house.service.metrics().encode().unwrap();
        text.lines().filter(|line| line.contains("kms.example.net")).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let certificate = certificate("kms.example.net");
    assert_eq!(watched().await, [] as [&str; 0]);
    house.take_in(&domain(&[(&certificate, Periods { from: 0, to: Some(number + 1) })])).await;
    let line = "skms_external_certificate_end_timestamp_seconds{kms=\"kms.example.net\"}";
    assert_eq!(watched().await, [format!("{line} {}", start + 2 * PERIOD)]);
    house.take_in(&domain(&[(&certificate, Periods { from: 0, to: Some(number) })])).await;
    assert_eq!(watched().await, [format!("{line} {}", start + PERIOD)]);
    remove_external(house.service.store(), &uri("kms.example.net"), &event()).await.unwrap();
    assert_eq!(watched().await, [] as [&str; 0]);
}

#[test]
fn an_offer_is_one_of_three_documents() {
    let certificate = certificate("kms.example.net");
    let document = documents::KmsCertificate::from(std::sync::Arc::new(certificate.clone()));
    let xml = document.to_xml().unwrap();
    let json = domain(&[(&certificate, ALWAYS)]).to_json();
    for text in [xml.as_str(), &json, &format!("\n {json}")] {
        let offer = Offer::read(text.as_bytes()).unwrap();
        assert_eq!(offer.kms_uri().as_str(), "kms.example.net");
        assert!(offer.certificates().all(|offered| offered.has_the_keys_of(&certificate)));
    }
    let point = hex::encode_upper(certificate.public_key().to_octets());
    let other = if &point[100..102] == "00" { "01" } else { "00" };
    let wrong = format!("{}{other}{}", &point[..100], &point[102..]);
    for text in [xml.as_str(), &json] {
        assert!(text.contains(&point));
        let error = Offer::read(text.replace(&point, &wrong).as_bytes()).unwrap_err();
        assert!(matches!(error, OfferError::Document(_) | OfferError::Domain(_)), "{error}");
        assert!(error.to_string().contains("Z"), "{error}");
    }
    for text in ["", "{}", "[]", "<a/>", "\0", "-----BEGIN CERTIFICATE-----", "\u{FEFF}"] {
        assert!(Offer::read(text.as_bytes()).is_err(), "{text:?}");
    }
}
