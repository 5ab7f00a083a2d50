//! A signature is valid exactly if the verification of the oracle, term by term, says so.
#![no_main]

mod schemes;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mikey_sakke::eccsi::{Kpak, Ksak, Signature, SigningKey, VerifyingKey};
use mikey_sakke::hazmat;
use mikey_sakke::identity::Uid;
use schemes::oracle::eccsi::P256;
use schemes::oracle::{from_octets, octets};
use schemes::{ECCSI, damage, identity, oracle, p256, short};

/// What is verified.
struct Case {
    kpak: Vec<u8>,
    identity: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fuzz_target!(|octets: &[u8]| {
    let mut input = Unstructured::new(octets);
    if let Ok(Some(case)) = case(&mut input) {
        case.check();
    }
});

impl Case {
    fn is_valid(&self) -> bool {
        let (Ok(kpak), Ok(uid)) = (Kpak::from_octets(&self.kpak), Uid::from_octets(&self.identity)) else {
            return false;
        };
        let Ok(signature) = Signature::try_from(&self.signature[..]) else { return false };
        VerifyingKey::new(&kpak, &uid).verify(&self.message, &signature).is_ok()
    }

    fn check(&self) {
        let expected = oracle::eccsi::verify(&self.kpak, &self.identity, &self.message, &self.signature);
        assert_eq!(self.is_valid(), expected && !self.identity.is_empty());
    }
}

fn case(input: &mut Unstructured) -> Result<Option<Case>> {
    if input.arbitrary()? {
        return signed(input);
    }
    let (kpak, identity) = (p256().point::<ECCSI>(input)?, short(input)?);
    let (message, r) = (short(input)?, p256().integer::<ECCSI>(input)?);
    let (s, pvt) = (p256().integer::<ECCSI>(input)?, p256().point::<ECCSI>(input)?);
    let mut signature = [&r[..], &s, &pvt].concat();
    damage(&mut signature, input)?;
    Ok(Some(Case { kpak, identity, message, signature }))
}

/// A valid signature, of which one part is replaced or damaged; none where the input's integers cannot sign.
fn signed(input: &mut Unstructured) -> Result<Option<Case>> {
    let [ksak, v, j] = [0; 3].map(|_| p256().integer::<ECCSI>(input));
    let (identity, message, what) = (identity(input, &[2])?, short(input)?, input.arbitrary::<u8>()?);
    let sign = || {
        let ksak = Ksak::from_octets(&ksak.ok()?).ok()?;
        let uid = Uid::from_octets(&identity).ok()?;
        let (pair, _) = hazmat::eccsi_issue(&ksak, &uid, &v.ok()?)?;
        let key = SigningKey::import(&ksak.kpak(), &uid, pair.ssk.expose(), &pair.pvt).expect("it was issued");
        Some((ksak.kpak(), hazmat::eccsi_sign(&key, &message, &j.ok()?)?))
    };
    let Some((kpak, signature)) = sign() else { return Ok(None) };
    let (kpak, signature) = (kpak.to_octets().to_vec(), signature.as_octets().to_vec());
    let mut case = Case { kpak, identity, message, signature };
    assert!(case.is_valid());

    let (r, rest) = case.signature.split_at_mut(ECCSI);
    let s = &mut rest[..ECCSI];
    match what % 9 {
        0 => damage(&mut case.kpak, input)?,
        1 => damage(&mut case.identity, input)?,
        2 => damage(&mut case.message, input)?,
        3 => {
            // The other signature that is valid.
            s.copy_from_slice(&octets(&(&P256.q - from_octets(s)), ECCSI));
            assert!(case.is_valid());
        }
        4 => add_order(r),
        5 => add_order(s),
        6 => case.kpak = p256().point::<ECCSI>(input)?,
        7 => {
            let pvt = p256().point::<ECCSI>(input)?;
            case.signature.splice(2 * ECCSI.., pvt);
        }
        _ => damage(&mut case.signature, input)?,
    }
    Ok(Some(case))
}

/// Another encoding of the same integer modulo q, where there is one.
fn add_order(integer: &mut [u8]) {
    let sum = from_octets(integer) + &P256.q;
    if sum.bits() <= 256 {
        integer.copy_from_slice(&octets(&sum, ECCSI));
    }
}
