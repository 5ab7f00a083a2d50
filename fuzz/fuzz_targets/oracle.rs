//! What the engine computes is what the formulas of the RFCs give over plain integers.
#![no_main]

mod schemes;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mikey_sakke::eccsi::{Ksak, SigningKey, VerifyingKey};
use mikey_sakke::hazmat;
use mikey_sakke::identity::{KeyPeriod, Uid, UidFormat, Uri};
use mikey_sakke::sakke::{MasterSecret, Ssv};
use mikey_sakke::time::Timestamp;
use schemes::{ECCSI, SAKKE, identity, oracle, p256, set_1, short};

fuzz_target!(|octets: &[u8]| {
    let _ = check(&mut Unstructured::new(octets));
});

fn check(input: &mut Unstructured) -> Result<()> {
    match input.int_in_range(0..=6u8)? {
        0 => {
            let modulus = if input.arbitrary()? { set_1().integer::<SAKKE>(input)?.to_vec() } else { short(input)? };
            let message = short(input)?;
            let ours = hazmat::hash_to_integer_range(&message, &modulus);
            assert_eq!(ours.ok(), oracle::sakke::hash_to_integer_range(&message, &modulus));
        }
        1 => {
            let (user, kms, [period, offset, number]) = (short(input)?, short(input)?, input.arbitrary::<[u64; 3]>()?);
            let ours = hazmat::hashed_uid(&user, &kms, period, offset, number);
            let expected = oracle::identity::hashed(&user, &kms, period, offset, number);
            assert_eq!(ours.ok().map(|uid| uid.as_octets().to_vec()), expected.map(Vec::from));
        }
        2 => key_periods(input)?,
        3 => eccsi(input)?,
        4 => {
            let z = set_1().integer::<SAKKE>(input)?;
            let public_key = MasterSecret::from_octets(&z).ok().map(|z| z.public_key().to_octets().to_vec());
            assert_eq!(public_key, oracle::sakke::master_key(&z));
        }
        5 => {
            let z = set_1().integer::<SAKKE>(input)?;
            let identity = identity(input, &z)?;
            let uid = Uid::from_octets(&identity).expect("1 to 1000 octets");
            let rsk = MasterSecret::from_octets(&z).ok().and_then(|z| z.extract(&uid).ok());
            assert_eq!(rsk.map(|rsk| rsk.expose().to_vec()), oracle::sakke::extract(&z, &identity));
        }
        _ => encapsulate(input)?,
    }
    Ok(())
}

fn encapsulate(input: &mut Unstructured) -> Result<()> {
    let z = set_1().integer::<SAKKE>(input)?;
    let (identity, ssv) = (identity(input, &z)?, Ssv::new(input.arbitrary()?));
    let uid = Uid::from_octets(&identity).expect("1 to 1000 octets");
    let Ok(z) = MasterSecret::from_octets(&z) else { return Ok(()) };
    let public_key = z.public_key();
    let ours = hazmat::sakke_encapsulate(&public_key, &uid, &ssv).ok();
    let expected = oracle::sakke::encapsulate(&public_key.to_octets(), &identity, ssv.expose());
    assert_eq!(
        ours.map(|ours| (ours.encapsulated.to_vec(), ours.r.to_vec(), ours.g_to_the_r.to_vec())),
        expected.map(|expected| (expected.encapsulated, expected.r, expected.g_pow_r))
    );
    Ok(())
}

fn eccsi(input: &mut Unstructured) -> Result<()> {
    let [ksak, v, j] = [0; 3].map(|_| p256().integer::<ECCSI>(input));
    let (ksak, v, j, identity, message) = (ksak?, v?, j?, identity(input, &[2])?, short(input)?);
    let uid = Uid::from_octets(&identity).expect("1 to 1000 octets");
    let Ok(secret) = Ksak::from_octets(&ksak) else {
        assert_eq!(oracle::eccsi::master_key(&ksak), None);
        return Ok(());
    };
    let kpak = secret.kpak().to_octets();
    assert_eq!(Some(kpak.to_vec()), oracle::eccsi::master_key(&ksak));
    let issued = hazmat::eccsi_issue(&secret, &uid, &v);
    let expected = oracle::eccsi::issue(&ksak, &identity, &v);
    assert_eq!(
        issued.as_ref().map(|(pair, hs)| (pair.ssk.expose().to_vec(), pair.pvt.to_vec(), hs.to_vec())),
        expected.map(|expected| (expected.ssk, expected.pvt, expected.hs))
    );
    let Some((pair, _)) = issued else { return Ok(()) };
    let key = SigningKey::import(&secret.kpak(), &uid, pair.ssk.expose(), &pair.pvt).expect("it was issued");
    let signature = hazmat::eccsi_sign(&key, &message, &j);
    let expected = oracle::eccsi::sign(&kpak, &identity, pair.ssk.expose(), &pair.pvt, &message, &j);
    assert_eq!(signature.map(|signature| signature.as_octets().to_vec()), expected);
    if let Some(signature) = signature {
        assert_eq!(VerifyingKey::new(&secret.kpak(), &uid).verify(&message, &signature), Ok(()));
    }
    Ok(())
}

/// An instant falls in the key period whose span it is in.
fn key_periods(input: &mut Unstructured) -> Result<()> {
    let (period, offset) = (input.arbitrary()?, input.arbitrary()?);
    let format = if input.arbitrary()? { UidFormat::Monthly } else { UidFormat::Hashed { period, offset } };
    assert_eq!(UidFormat::hashed(period, offset).is_ok(), offset < period);
    if matches!(format, UidFormat::Hashed { .. }) && offset >= period {
        return Ok(());
    }
    let key_period = match input.arbitrary()? {
        true => KeyPeriod::Month { year: input.arbitrary()?, month: input.arbitrary::<u8>()? % 16 },
        false => KeyPeriod::Number(input.arbitrary()?),
    };
    let (at, now) = (input.arbitrary::<u64>()? % (1 << 38), input.arbitrary::<u64>()? % (1 << 38));
    if let (Ok(at), Ok(now)) = (Timestamp::from_unix(at), Timestamp::from_unix(now)) {
        if let Ok((start, end)) = format.period_at(at).and_then(|period| format.span(period)) {
            assert!(start <= at && at < end);
        }
        let _ = format.accepts(key_period, now, format.overlap());
    }
    if let Ok((start, end)) = format.span(key_period) {
        assert!(start < end);
        assert!(format.period_at(start).is_err() || format.period_at(start) == Ok(key_period));
    }
    let [user, kms] = ["tel:+447700900123", "kms.example.org"].map(|uri| Uri::parse(uri).expect("a fixed URI"));
    let _ = format.uid(&user, &kms, key_period);
    Ok(())
}
