//! Keys are imported exactly if the oracle takes them, and names if they are in their one spelling.
#![no_main]

mod schemes;

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mikey_sakke::eccsi::{Kpak, Ksak, SigningKey};
use mikey_sakke::hazmat;
use mikey_sakke::identity::{KeyPeriod, Uid, Uri};
use mikey_sakke::mikey::Tolerance;
use mikey_sakke::sakke::{MasterSecret, PublicKey, ReceiverKey};
use schemes::{ECCSI, SAKKE, damage, identity, oracle, p256, set_1};

/// Master secrets, with their public keys prepared once.
static MASTERS: LazyLock<[(MasterSecret, PublicKey); 2]> = LazyLock::new(|| {
    [2, 0x1d].map(|octet| {
        let z = MasterSecret::from_octets(&[&[0; SAKKE - 1][..], &[octet]].concat()).expect("a fixed secret");
        let public_key = z.public_key();
        (z, public_key)
    })
});

fuzz_target!(|octets: &[u8]| {
    let _ = check(&mut Unstructured::new(octets));
});

fn check(input: &mut Unstructured) -> Result<()> {
    match input.int_in_range(0..=6u8)? {
        0 => {
            let mut octets = set_1().point::<SAKKE>(input)?;
            damage(&mut octets, input)?;
            let key = PublicKey::from_octets(&octets);
            assert_eq!(key.is_ok(), oracle::sakke::decode(&octets).is_some());
            assert!(key.is_err() || key.is_ok_and(|key| key.to_octets()[..] == octets));
        }
        1 => {
            let mut octets = p256().point::<ECCSI>(input)?;
            damage(&mut octets, input)?;
            let kpak = Kpak::from_octets(&octets);
            assert_eq!(kpak.is_ok(), p256().curve.decode(&octets).is_some());
            assert!(kpak.is_err() || kpak.is_ok_and(|kpak| kpak.to_octets()[..] == octets));
        }
        2 => {
            let mut octets = set_1().integer::<SAKKE>(input)?.to_vec();
            damage(&mut octets, input)?;
            let expected = oracle::sakke::is_master_secret(&octets) && octets.len() == SAKKE;
            let z = MasterSecret::from_octets(&octets);
            assert_eq!(z.is_ok(), expected);
            assert!(z.is_err() || z.is_ok_and(|z| z.to_octets().expose()[..] == octets));
        }
        3 => {
            let mut octets = p256().integer::<ECCSI>(input)?.to_vec();
            damage(&mut octets, input)?;
            let expected = oracle::eccsi::master_key(&octets).filter(|_| octets.len() == ECCSI);
            let ksak = Ksak::from_octets(&octets).ok();
            assert_eq!(ksak.as_ref().map(|ksak| ksak.kpak().to_octets().to_vec()), expected);
            assert!(ksak.is_none_or(|ksak| ksak.to_octets().expose()[..] == octets));
        }
        4 => signing_pair(input)?,
        5 => rsk(input)?,
        _ => {
            let octets = input.bytes(input.len())?;
            core::str::from_utf8(octets).into_iter().for_each(names);
        }
    }
    Ok(())
}

/// A pair as it was issued, or with one part of it replaced or damaged.
fn signing_pair(input: &mut Unstructured) -> Result<()> {
    let [ksak, v] = [p256().integer::<ECCSI>(input)?, p256().integer::<ECCSI>(input)?];
    let mut identity = identity(input, &[2])?;
    let what = input.arbitrary::<u8>()?;
    let Ok(ksak) = Ksak::from_octets(&ksak) else { return Ok(()) };
    let Ok(uid) = Uid::from_octets(&identity) else { return Ok(()) };
    let Some((pair, _)) = hazmat::eccsi_issue(&ksak, &uid, &v) else { return Ok(()) };
    let (mut kpak, mut ssk, mut pvt) =
        (ksak.kpak().to_octets().to_vec(), pair.ssk.expose().to_vec(), pair.pvt.to_vec());
    match what % 8 {
        0 => {}
        1 => ssk = p256().integer::<ECCSI>(input)?.to_vec(),
        2 => pvt = p256().point::<ECCSI>(input)?,
        3 => kpak = p256().point::<ECCSI>(input)?,
        4 => damage(&mut ssk, input)?,
        5 => damage(&mut pvt, input)?,
        6 => damage(&mut kpak, input)?,
        _ => damage(&mut identity, input)?,
    }
    let (Ok(kpak), Ok(uid)) = (Kpak::from_octets(&kpak), Uid::from_octets(&identity)) else { return Ok(()) };
    let expected = oracle::eccsi::validate(&kpak.to_octets(), &identity, &ssk, &pvt);
    assert!(expected || what % 8 != 0);
    assert_eq!(SigningKey::import(&kpak, &uid, &ssk, &pvt).is_ok(), expected);
    Ok(())
}

/// An RSK, of its identity or another, as it was extracted, damaged or replaced.
fn rsk(input: &mut Unstructured) -> Result<()> {
    let (z, public_key) = input.choose(&*MASTERS)?;
    // The oracle takes much longer, so it is asked about few. The others rest on there being one RSK for an identity.
    let is_compared = input.arbitrary::<u8>()? == u8::MAX;
    let identity = identity(input, z.to_octets().expose())?;
    let what = input.arbitrary::<u8>()?;
    let Ok(uid) = Uid::from_octets(&identity) else { return Ok(()) };
    let extracted = z.extract(&uid);
    let mut rsk = match &extracted {
        Ok(rsk) if what % 4 < 2 => rsk.expose().to_vec(),
        Ok(rsk) if what % 4 == 2 => {
            let curve = set_1().curve;
            let sum = curve.add(&curve.decode(rsk.expose()), &curve.decode(&set_1().point::<SAKKE>(input)?));
            curve.encode(&sum).unwrap_or_default()
        }
        _ => set_1().point::<SAKKE>(input)?,
    };
    damage(&mut rsk, input)?;
    let is_accepted = ReceiverKey::import(public_key, &uid, &rsk).is_ok();
    assert_eq!(is_accepted, extracted.is_ok_and(|extracted| extracted.expose()[..] == rsk));
    if is_compared {
        assert_eq!(is_accepted, oracle::sakke::validate(&public_key.to_octets(), &identity, &rsk));
    }
    Ok(())
}

/// What is read is printed as it was.
fn names(text: &str) {
    if let Ok(uri) = Uri::parse(text) {
        assert_eq!((uri.as_str(), uri.to_string().as_str()), (text, text));
        assert!(text.bytes().all(|octet| !b" \t\r\n;?#".contains(&octet)) && !text.is_empty());
        assert!(uri.scheme().is_none_or(|scheme| text.starts_with(scheme) && scheme == scheme.to_ascii_lowercase()));
    }
    if let Ok(period) = text.parse::<KeyPeriod>() {
        let printed = period.to_string();
        assert_eq!(printed.parse(), Ok(period));
        assert_eq!(printed.trim_start_matches('0'), text.trim_start_matches('0'));
    }
    if let Ok(tolerance) = text.parse::<Tolerance>() {
        assert_eq!(tolerance.to_string(), text);
    }
}
