//! Certificates of key management servers, and the set of them that a client trusts.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use getrandom::SysRng;
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::kms::{Kms, KmsCertificate, TrustedCertificates, Validity};
use mikey_sakke::time::Timestamp;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(1_795_000_000 + seconds).unwrap()
}

fn from_to(from: u64, to: u64) -> Validity {
    Validity { from: Some(at(from)), to: Some(at(to)) }
}

/// A certificate with keys of its own.
fn certificate(kms: &str) -> KmsCertificate {
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    Kms::generate(Uri::parse(kms).unwrap(), format, &mut SysRng).unwrap().certificate().as_ref().clone()
}

#[test]
fn a_span_has_its_first_instant_and_not_its_last() {
    let span = from_to(10, 20);
    assert_eq!([9, 10, 19, 20].map(|second| span.includes(at(second))), [false, true, true, false]);
    assert!(Validity::ALWAYS.includes(at(0)));
    assert!(!Validity { from: None, to: Some(at(5)) }.includes(at(5)));
}

#[test]
fn spans_overlap_where_they_share_an_instant() {
    let overlaps = |one: Validity, other: Validity| {
        assert_eq!(one.overlaps(other), other.overlaps(one));
        one.overlaps(other)
    };
    assert!(overlaps(from_to(10, 20), from_to(19, 30)));
    assert!(overlaps(from_to(10, 40), from_to(20, 30)));
    assert!(overlaps(Validity::ALWAYS, from_to(20, 30)));
    assert!(!overlaps(from_to(10, 20), from_to(20, 30)));
    assert!(!overlaps(Validity::ALWAYS, from_to(20, 20)), "an empty span");
}

#[test]
fn the_timestamp_selects_among_the_certificates_of_one_kms() {
    let mut trusted = TrustedCertificates::default();
    let [old, new] = [from_to(0, 100), Validity { from: Some(at(100)), to: None }]
        .map(|validity| Arc::new(certificate("kms.example.org").with_validity(validity)));
    trusted.add(old.clone()).unwrap();
    trusted.add(new.clone()).unwrap();
    trusted.add(Arc::new(certificate("kms.example.net"))).unwrap();
    let kms = Uri::parse("kms.example.org").unwrap();
    assert_eq!(trusted.select(&kms, at(99)), Some(&old));
    assert_eq!(trusted.select(&kms, at(100)), Some(&new));
    assert_eq!(trusted.select(&kms, Timestamp::from_unix(1).unwrap()), None);
    assert_eq!(trusted.select(&Uri::parse("kms.example.com").unwrap(), at(0)), None);
    assert_eq!(trusted.iter().count(), 3);
}

#[test]
fn overlapping_certificates_are_refused_and_change_nothing() {
    let mut trusted = TrustedCertificates::default();
    let old = Arc::new(certificate("kms.example.org").with_validity(from_to(0, 100)));
    trusted.add(old.clone()).unwrap();
    let overlapping = Arc::new(certificate("kms.example.org").with_validity(from_to(99, 200)));
    assert_eq!(trusted.add(overlapping), Err(UsageError::CertificateOverlap));
    assert_eq!(trusted.iter().collect::<Vec<_>>(), [&old]);
}

#[test]
fn revocation_counts_at_once_and_for_good() {
    let mut trusted = TrustedCertificates::default();
    let certificate = certificate("kms.example.org");
    let kms = certificate.kms_uri().clone();
    trusted.add(Arc::new(certificate.clone())).unwrap();
    assert!(trusted.select(&kms, at(0)).is_some());
    trusted.add(Arc::new(certificate.clone().revoked())).unwrap();
    assert!(trusted.select(&kms, at(0)).is_none());
    trusted.add(Arc::new(certificate)).unwrap();
    assert!(trusted.select(&kms, at(0)).is_none(), "an older copy brings it back");
}

#[test]
fn a_revoked_certificate_makes_room_for_another() {
    let mut trusted = TrustedCertificates::default();
    let [old, new] = [certificate("kms.example.org"), certificate("kms.example.org").with_validity(from_to(50, 200))];
    let kms = old.kms_uri().clone();
    trusted.add(Arc::new(old.clone())).unwrap();
    assert_eq!(trusted.add(Arc::new(new.clone())), Err(UsageError::CertificateOverlap));
    trusted.add(Arc::new(old.clone().revoked())).unwrap();
    trusted.add(Arc::new(new.clone())).unwrap();
    // An older copy, which does not say so, changes nothing.
    trusted.add(Arc::new(old.clone())).unwrap();
    assert_eq!(trusted.select(&kms, at(60)).map(|found| found.kpak()), Some(new.kpak()));
    assert_eq!(trusted.select(&kms, at(10)), None);
    assert!(trusted.is_revoked(&old) && !trusted.is_revoked(&new));
}
