//! Messages as a program makes them, with values that need not fit their fields: what is encoded is decoded to the same
//! message, what does not fit is refused.
#![no_main]

mod common;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mikey_sakke::mikey::envelope::EnvelopeKeys;
use mikey_sakke::mikey::error_message::ErrorMessage;
use mikey_sakke::mikey::payload::{
    Cert, Chash, Dh, ErrorReport, Extension, GeneralExtension, Id, Idr, Kemac, KeyData, KeyId, KeyParameters,
    KeyValidity, Payload, Pke, ProtectedPayload, Rand, Randr, Rest, Sakke, Sign, Sp, SpParam, Tr, Ts, V,
};
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::{
    CertType, CsIdMapType, DataType, DhGroup, EncrAlg, ErrorNo, ExtensionType, HashFunc, IdRole, IdScheme, IdType,
    KeyDataType, KeyIdType, MacAlg, PayloadType, PrfFunc, ProtType, RandRole, SType, SakkeParams, TsRole,
};
use mikey_sakke::mikey::{CsIdMap, GenericId, Header, Message, SrtpId, Tolerance, Tolerances};
use mikey_sakke::secret::Secret;

/// Lengths about those that fields can hold, and those of the outputs of algorithms.
const LENGTHS: [usize; 18] =
    [0, 1, 16, 20, 32, 96, 127, 128, 192, 255, 256, 4_095, 4_096, 16_383, 16_384, 65_500, 65_535, 65_536];

fuzz_target!(|octets: &[u8]| {
    let mut input = Unstructured::new(octets);
    if let Ok(keys) = list(&mut input, key_data) {
        check_keys(&keys, &mut input);
    }
    if let Ok(message) = message(&mut input) {
        check(&message);
    }
});

fn check(message: &Message) {
    let all: Tolerances = Tolerance::ALL.into_iter().collect();
    for tolerances in [Tolerances::NONE, all] {
        let Ok(octets) = message.encode_with(tolerances) else { continue };
        let again = Message::decode_with(&octets, tolerances).expect("what is encoded is decoded");
        // What stands after a map without its crypto sessions may look like them.
        assert!(again == *message || matches!(message.header.cs_id_map, CsIdMap::Missing { .. }));
        common::check(&octets);
    }
    if let (Some(sign), Ok(octets)) = (&message.sign, message.encode()) {
        let covered = message.encode_to_be_signed(sign.s_type, sign.signature.len());
        assert_eq!(covered.as_deref(), Ok(&octets[..message.signed_length().expect("it is signed")]));
        let lengths: Vec<_> = message.signed_lengths(all).collect();
        assert_eq!(lengths, [octets.len() - sign.signature.len(), octets.len() - sign.signature.len() - 2]);
    }
    if let Ok(error) = ErrorMessage::from_message(message) {
        assert_eq!(ErrorMessage::from_message(&error.to_message()), Ok(error));
    }
}

fn check_keys(keys: &[KeyData], input: &mut Unstructured) {
    if let Ok(octets) = KeyData::encode_all(keys) {
        assert!(KeyData::decode_all(octets.expose()).expect("what is encoded is decoded") == keys);
    }
    let (Ok(encr_alg), Ok(mac_alg)) = (input.int_in_range(0..=3), input.int_in_range(0..=3)) else { return };
    let (encr_alg, mac_alg) = (EncrAlg(encr_alg), MacAlg(mac_alg));
    let Ok(envelope) = EnvelopeKeys::derive(Prf::Mikey1, &[7; 16], [1, 2, 3, 4], &[8; 16], mac_alg) else { return };
    let Ok(encr_data) = envelope.encrypt(encr_alg, 9, keys) else { return };
    assert!(envelope.decrypt(encr_alg, 9, &encr_data).expect("what is encrypted is decrypted") == keys);
    let mac = vec![0; mac_alg.octets().expect("keys were derived for it")];
    let message = Message {
        header: Header {
            data_type: DataType::PRE_SHARED,
            v: false,
            prf_func: PrfFunc::MIKEY_1,
            csb_id: [1, 2, 3, 4],
            cs_id_map: CsIdMap::EMPTY,
        },
        payloads: vec![Payload::T(Ts::NtpUtc(9)), Payload::Kemac(Kemac { encr_alg, encr_data, mac_alg, mac })],
        sign: None,
    };
    let Ok(mut octets) = envelope.seal(&message, &[]) else { return };
    assert_eq!(envelope.verify(&octets, &message, &[]), Ok(()));
    let last = octets.len() - 1;
    octets[last] ^= 1;
    assert!(envelope.verify(&octets, &message, &[]).is_err());
}

/// Octets, of which the input has no more than the first few.
fn data(input: &mut Unstructured) -> Result<Vec<u8>> {
    // Where the input ends, it is as if it had zeros: then short values come out.
    let length = if input.ratio(3, 4)? { input.arbitrary::<u8>()?.into() } else { *input.choose(&LENGTHS)? };
    let mut data = input.bytes(length.min(8).min(input.len()))?.to_vec();
    data.resize(length, 0xa5);
    Ok(data)
}

fn list<T>(input: &mut Unstructured, item: impl Fn(&mut Unstructured) -> Result<T>) -> Result<Vec<T>> {
    let length = if input.ratio(63, 64)? { input.int_in_range(0..=6)? } else { 256 };
    (0..length).map(|_| item(input)).collect()
}

fn message(input: &mut Unstructured) -> Result<Message> {
    let header = Header {
        data_type: DataType(input.arbitrary()?),
        v: input.arbitrary()?,
        prf_func: PrfFunc(input.arbitrary()?),
        csb_id: input.arbitrary()?,
        cs_id_map: cs_id_map(input)?,
    };
    let payloads = list(input, payload)?;
    let sign = input.arbitrary()?;
    let sign = if sign { Some(Sign { s_type: SType(input.arbitrary()?), signature: data(input)? }) } else { None };
    Ok(Message { header, payloads, sign })
}

fn cs_id_map(input: &mut Unstructured) -> Result<CsIdMap> {
    Ok(match input.int_in_range(0..=3)? {
        0 => CsIdMap::SrtpId(list(input, |input| {
            Ok(SrtpId { policy: input.arbitrary()?, ssrc: input.arbitrary()?, roc: input.arbitrary()? })
        })?),
        1 => CsIdMap::Empty(input.arbitrary()?),
        2 => CsIdMap::GenericId(list(input, |input| {
            Ok(GenericId {
                cs_id: input.arbitrary()?,
                prot_type: ProtType(input.arbitrary()?),
                s: input.arbitrary()?,
                policies: data(input)?,
                session_data: data(input)?,
                spi: data(input)?,
            })
        })?),
        _ => CsIdMap::Missing { map_type: CsIdMapType(input.int_in_range(0..=2)?), count: input.arbitrary()? },
    })
}

fn payload(input: &mut Unstructured) -> Result<Payload> {
    Ok(match input.int_in_range(0..=16)? {
        0 => Payload::Kemac(Kemac {
            encr_alg: EncrAlg(input.arbitrary()?),
            encr_data: data(input)?,
            mac_alg: MacAlg(input.int_in_range(0..=3)?),
            mac: data(input)?,
        }),
        1 => Payload::Pke(Pke { c: input.int_in_range(0..=4)?, data: data(input)? }),
        2 => Payload::Dh(Dh {
            group: DhGroup(input.int_in_range(0..=3)?),
            value: data(input)?,
            reserved: input.int_in_range(0..=16)?,
            validity: validity(input)?,
        }),
        3 => Payload::T(ts(input)?),
        4 => Payload::Id(Id { id_type: IdType(input.arbitrary()?), data: data(input)? }),
        5 => Payload::Cert(Cert { cert_type: CertType(input.arbitrary()?), data: data(input)? }),
        6 => Payload::Chash(Chash { hash_func: HashFunc(input.int_in_range(0..=3)?), hash: data(input)? }),
        7 => Payload::V(V { auth_alg: MacAlg(input.int_in_range(0..=3)?), ver_data: data(input)? }),
        8 => Payload::Sp(Sp {
            policy: input.arbitrary()?,
            prot_type: ProtType(input.int_in_range(0..=1)?),
            params: list(input, |input| Ok(SpParam { param_type: input.arbitrary()?, value: data(input)? }))?,
        }),
        9 => Payload::Rand(Rand(data(input)?)),
        10 => Payload::Err(ErrorReport { error_no: ErrorNo(input.arbitrary()?), reserved: input.arbitrary()? }),
        11 => Payload::Tr(Tr { role: TsRole(input.arbitrary()?), ts: ts(input)? }),
        12 => Payload::Idr(Idr {
            role: IdRole(input.arbitrary()?),
            id_type: IdType(input.arbitrary()?),
            data: data(input)?,
        }),
        13 => Payload::Randr(Randr { role: RandRole(input.arbitrary()?), rand: data(input)? }),
        14 => Payload::GeneralExtension(general_extension(input)?),
        15 => Payload::Sakke(sakke(input)?),
        _ => Payload::Rest(Rest {
            payload_type: PayloadType(input.arbitrary()?),
            next_payload: PayloadType(input.arbitrary()?),
            octets: data(input)?,
        }),
    })
}

fn ts(input: &mut Unstructured) -> Result<Ts> {
    Ok(match input.int_in_range(0..=3)? {
        0 => Ts::NtpUtc(input.arbitrary()?),
        1 => Ts::Ntp(input.arbitrary()?),
        2 => Ts::Counter(input.arbitrary()?),
        _ => Ts::NtpUtc32(input.arbitrary()?),
    })
}

fn sakke(input: &mut Unstructured) -> Result<Sakke> {
    let (params, id_scheme) = (SakkeParams(input.arbitrary()?), IdScheme(input.arbitrary()?));
    Ok(Sakke { params, id_scheme, data: data(input)? })
}

fn validity(input: &mut Unstructured) -> Result<KeyValidity> {
    Ok(match input.int_in_range(0..=2)? {
        0 => KeyValidity::Null,
        1 => KeyValidity::Spi(data(input)?),
        _ => KeyValidity::Interval { from: data(input)?, to: data(input)? },
    })
}

fn key_data(input: &mut Unstructured) -> Result<KeyData> {
    let (key_type, key) = (KeyDataType(input.int_in_range(0..=16)?), Secret::new(data(input)?));
    let has_salt = input.arbitrary()?;
    let salt = if has_salt { Some(Secret::new(data(input)?)) } else { None };
    Ok(KeyData { key_type, key, salt, validity: validity(input)? })
}

/// An extension whose content, if it fits, is what is read from it.
fn general_extension(input: &mut Unstructured) -> Result<GeneralExtension> {
    let extension = match input.int_in_range(0..=7)? {
        0 => Extension::VendorId(data(input)?),
        1 => Extension::SdpIds(list(input, |input| input.arbitrary())?),
        2 => Extension::KeyIds(list(input, |input| {
            Ok(KeyId { key_id_type: KeyIdType(input.arbitrary()?), key_id: data(input)? })
        })?),
        3 => Extension::CsbId(data(input)?),
        4 => Extension::SakkeToSelf(sakke(input)?),
        5 => Extension::KeyParameters(KeyParameters::Plain(data(input)?)),
        6 => Extension::KeyParameters(KeyParameters::Protected(ProtectedPayload {
            message_type: input.arbitrary()?,
            date_time: input.arbitrary()?,
            payload_id: input.arbitrary()?,
            sequence_number: input.arbitrary()?,
            algorithm: input.arbitrary()?,
            iv: input.arbitrary()?,
            dppk_id: input.arbitrary()?,
            payload_type: input.arbitrary()?,
            ciphertext: data(input)?,
        })),
        _ => {
            let extension_type = ExtensionType(input.arbitrary()?);
            return Ok(GeneralExtension { extension_type, data: data(input)? });
        }
    };
    match extension.to_payload() {
        Ok(payload) => {
            assert_eq!(payload.content().as_ref(), Ok(&extension));
            Ok(payload)
        }
        Err(_) => Ok(GeneralExtension { extension_type: ExtensionType::VENDOR_ID, data: Vec::new() }),
    }
}
