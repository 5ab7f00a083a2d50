//! Certificates over time.

use std::sync::Arc;
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::error::{Refusal, UsageError};
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::imessage::{Initiator, Policy, Recipient, Responder};
use mikey_sakke::kms::{Kms, KmsCertificate, UserKeys, Validity};

use crate::domain::*;

fn valid(kms: &Kms, validity: Validity) -> Arc<KmsCertificate> {
    Arc::new(kms.certificate().as_ref().clone().with_validity(validity))
}

fn revoked(certificate: &KmsCertificate) -> Arc<KmsCertificate> {
    Arc::new(certificate.clone().revoked())
}

#[test]
fn the_timestamp_selects_the_certificate() {
    let message = DOMAIN.message(&bundle());
    let (before, after) = (Validity { from: None, to: Some(now()) }, Validity { from: Some(now()), to: None });
    let mut responder = Responder::new(DOMAIN.bob.clone(), Policy::default());
    responder.trust(valid(&DOMAIN.kms, before)).unwrap();
    assert_refused(responder.extract(&message, now()), Refusal::UntrustedKms);

    // The same KMS had other master secrets before.
    let former = Kms::generate(uri("kms.example.org"), HASHED, &mut SysRng).unwrap();
    let mut responder = Responder::new(DOMAIN.bob.clone(), Policy::default());
    responder.trust(valid(&former, before)).unwrap();
    assert_eq!(responder.trust(DOMAIN.certificate()), Err(UsageError::CertificateOverlap));
    responder.trust(valid(&DOMAIN.kms, after)).unwrap();
    assert!(responder.extract(&message, now()).is_ok());
}

#[test]
fn a_revoked_certificate_refuses_at_once() {
    let mut responder = DOMAIN.responder(Policy::default());
    assert!(responder.extract(&DOMAIN.message(&bundle()), now()).is_ok());
    responder.trust(revoked(&DOMAIN.certificate())).unwrap();
    // It is that of the responder as well, whose own keys are of no use any more.
    assert_refused(responder.extract(&DOMAIN.message(&bundle()), now()), Refusal::KeyPeriod);

    let from_other = Initiator::new(OTHER.alice.clone());
    let message = || from_other.distribute(&bundle(), &DOMAIN.to_bob(), now(), &mut SysRng).unwrap();
    let mut responder = DOMAIN.responder(Policy::default());
    responder.trust(OTHER.certificate()).unwrap();
    assert!(responder.extract(&message(), now()).is_ok());
    responder.trust(revoked(&OTHER.certificate())).unwrap();
    assert_refused(responder.extract(&message(), now()), Refusal::UntrustedKms);
}

#[test]
fn nothing_is_distributed_under_a_certificate_that_is_revoked_or_over() {
    let over = Validity { from: None, to: Some(now()) };
    let initiator = Initiator::new(DOMAIN.alice.clone());
    for certificate in [revoked(&DOMAIN.certificate()), valid(&DOMAIN.kms, over)] {
        let recipient = Recipient { user: uri("sip:bob@example.org"), certificate: certificate.clone() };
        let refused = Error::Usage(UsageError::Certificate);
        assert_eq!(initiator.distribute(&bundle(), &recipient, now(), &mut SysRng), Err(refused.clone()));
        let group: Vec<_> =
            initiator.distribute_to_group(&bundle(), &[recipient, DOMAIN.to_bob()], now(), &mut SysRng).collect();
        assert_eq!((&group[0], group[1].is_ok()), (&Err(refused), true));
        // Nor with keys that come under it.
        let key_set = DOMAIN.kms.issue(DOMAIN.alice.user(), KeyPeriod::Number(NUMBER), &mut SysRng).unwrap();
        let keys = Arc::new(UserKeys::import(&certificate, &key_set).unwrap());
        let without_keys = Initiator::new(keys).distribute(&bundle(), &DOMAIN.to_bob(), now(), &mut SysRng);
        assert_eq!(without_keys, Err(Error::Usage(UsageError::KeyPeriod)));
    }
}

#[test]
fn a_certificate_that_is_valid_again_is_accepted_again() {
    let message = DOMAIN.message(&bundle());
    let mut responder = Responder::new(DOMAIN.bob.clone(), Policy::default());
    let ended = Validity { from: None, to: Some(now().saturating_sub(Duration::from_secs(1))) };
    responder.trust(valid(&DOMAIN.kms, ended)).unwrap();
    assert_refused(responder.extract(&message, now()), Refusal::UntrustedKms);
    responder.trust(DOMAIN.certificate()).unwrap();
    assert!(responder.extract(&message, now()).is_ok());
}
