//! The MIKEY codec on a message of 900 octets, without any public-key computation.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::{GeneralExtension, Idr, Payload, Rand, Sakke, Sp, Ts};
use mikey_sakke::mikey::registry::{
    DataType, ExtensionType, IdRole, IdScheme, IdType, PrfFunc, ProtType, SType, SakkeParams, SrtpParam,
};
use mikey_sakke::mikey::{CsIdMap, GenericId, Header, Message, Tolerances, inspect};

const SIGNATURE_OCTETS: usize = 129;

/// A message with every option of TS 33.180: two crypto sessions, a policy, key parameters and SAKKE-to-self.
fn message() -> Message {
    let session = |cs_id| GenericId {
        cs_id,
        prot_type: ProtType::SRTP,
        s: false,
        policies: vec![0],
        session_data: Vec::new(),
        spi: vec![0x12, 0x34, 0x56, 0x78],
    };
    let idr = |role, uri: &str| Payload::Idr(Idr { role, id_type: IdType::URI, data: uri.as_bytes().to_vec() });
    let extension = |extension_type, octets| {
        Payload::GeneralExtension(GeneralExtension { extension_type, data: vec![0x5a; octets] })
    };
    let policy = [
        (SrtpParam::ENCRYPTION, 6),
        (SrtpParam::ENCRYPTION_KEY_LENGTH, 16),
        (SrtpParam::SALT_LENGTH, 12),
        (SrtpParam::PRF, 0),
        (SrtpParam::KEY_DERIVATION_RATE, 0),
        (SrtpParam::AEAD_TAG_LENGTH, 16),
    ];
    Message {
        header: Header {
            data_type: DataType::SAKKE_MSG,
            v: false,
            prf_func: PrfFunc::HMAC_SHA_256,
            csb_id: [0x12, 0x34, 0x56, 0x78],
            cs_id_map: CsIdMap::GenericId(vec![session(0), session(1)]),
        },
        payloads: vec![
            Payload::T(Ts::NtpUtc(0xec89_8da8_0000_0000)),
            Payload::Rand(Rand(vec![7; 16])),
            idr(IdRole::INITIATOR, "sip:alice@example.org"),
            idr(IdRole::RESPONDER, "sip:bob@example.org"),
            idr(IdRole::INITIATOR_KMS, "kms.example.org"),
            idr(IdRole::RESPONDER_KMS, "kms.example.org"),
            Payload::Sp(Sp::srtp(0, &policy)),
            Payload::Sakke(Sakke { params: SakkeParams::SET_1, id_scheme: IdScheme::UID_3GPP, data: vec![4; 273] }),
            extension(ExtensionType::SAKKE_TO_SELF, 278),
            extension(ExtensionType::KEY_PARAMETERS, 57),
        ],
        sign: None,
    }
}

fn built(message: &Message) -> Vec<u8> {
    let mut octets = message.encode_to_be_signed(SType::ECCSI, SIGNATURE_OCTETS).expect("all values fit");
    octets.extend_from_slice(&[9; SIGNATURE_OCTETS]);
    octets
}

fn mikey(criterion: &mut Criterion) {
    let octets = built(&message());
    let mut group = criterion.benchmark_group(format!("mikey, {} octets", octets.len()));
    group.throughput(Throughput::Bytes(octets.len() as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            let message = Message::decode(black_box(&octets)).expect("well formed");
            IMessage::from_message(&message).expect("an I_MESSAGE").timestamp
        });
    });
    group.bench_function("build", |bencher| bencher.iter(|| built(&message())));
    group.bench_function("inspect", |bencher| bencher.iter(|| inspect(black_box(&octets), Tolerances::default())));
    group.finish();
}

criterion_group!(benches, mikey);
criterion_main!(benches);
