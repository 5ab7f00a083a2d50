//! A responder refuses whatever its KMS's users did not send; nothing panics.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::hazmat;
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::imessage::{Policy, Responder};
use mikey_sakke::kms::{KeySet, Kms, UserKeys};
use mikey_sakke::sakke::MasterSecret;
use mikey_sakke::time::Timestamp;

static RESPONDER: LazyLock<Responder> = LazyLock::new(|| responder().expect("fixed inputs"));

fn responder() -> Result<Responder, mikey_sakke::Error> {
    let mut z = [0; 128];
    z[127] = 9;
    let kms = Kms::new(
        Uri::parse("kms.example.org")?,
        UidFormat::hashed(2_592_000, 0)?,
        Ksak::from_octets(&[1; 32])?,
        MasterSecret::from_octets(&z)?,
    )?;
    let (user, period) = (Uri::parse("sip:bob@example.org")?, KeyPeriod::Number(1_500));
    let uid = kms.certificate().uid(&user, period)?;
    let (signing, _) = hazmat::eccsi_issue(kms.ksak(), &uid, &[2; 32]).expect("a fixed v that can be used");
    let rsk = kms.master_secret().extract(&uid)?;
    let keys = UserKeys::import(kms.certificate(), &KeySet { user, period, rsk, signing })?;
    let mut responder = Responder::new(Arc::new(keys), Policy::default());
    responder.trust(kms.certificate().clone())?;
    Ok(responder)
}

/// Well inside key period 1500.
const NOW: u64 = 1_500 * 2_592_000 - 2_208_988_800 + 1_000_000;

fuzz_target!(|octets: &[u8]| {
    let now = Timestamp::from_unix(NOW).expect("before 9999");
    assert!(RESPONDER.clone().extract(octets, now).is_err());
});
