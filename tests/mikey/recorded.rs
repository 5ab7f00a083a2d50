//! Recorded messages.

use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::Payload;
use mikey_sakke::mikey::registry::{
    DataType, ExtensionType, IdRole, IdScheme, PayloadType, PrfFunc, ProtType, SType, SakkeParams,
};
use mikey_sakke::mikey::{Content, CsIdMap, GenericId, Header, Message};

use crate::common::{recorded, unhex};

fn names(message: &Message) -> Vec<String> {
    message.layout().map(|part| part.content.to_string()).collect()
}

#[test]
fn a_recorded_message_reads_as_it_was_meant() {
    let octets = &recorded()[0];
    let message = Message::decode(octets).unwrap();
    assert_eq!(
        names(&message),
        ["HDR", "T", "RAND", "IDR", "IDR", "IDR", "IDR", "SP", "SAKKE", "General Extension", "SIGN"]
    );
    let session = GenericId {
        cs_id: 4,
        prot_type: ProtType::SRTP,
        s: false,
        policies: vec![0],
        session_data: vec![],
        spi: unhex("0df9bc3906a12aea"),
    };
    assert_eq!(
        message.header,
        Header {
            data_type: DataType::SAKKE_MSG,
            v: false,
            prf_func: PrfFunc::HMAC_SHA_256,
            csb_id: [0x06, 0xa1, 0x2a, 0xea],
            cs_id_map: CsIdMap::GenericId(vec![session]),
        }
    );
    let Payload::Sp(sp) = &message.payloads[6] else { panic!("not SP") };
    let params = sp.params.iter().map(|param| (param.param_type, param.value[0]));
    let expected = [(0, 6), (1, 16), (2, 4), (4, 12), (5, 0), (6, 0), (18, 4), (19, 0), (20, 16)];
    assert_eq!(params.collect::<Vec<_>>(), expected);

    let profile = IMessage::from_message(&message).unwrap();
    assert_eq!(profile.timestamp, 0xec89_8da8_0000_0000);
    assert_eq!(profile.rand, unhex("ca2f5d51ff0866362c1d85a56f84651e"));
    assert_eq!(profile.csb_id, [0x06, 0xa1, 0x2a, 0xea]);
    assert_eq!(profile.idr(IdRole::RESPONDER_KMS).unwrap().data, b"kms.mydev.streamwide.com");
    assert_eq!(profile.idr(IdRole::INITIATOR_UID).unwrap().data.len(), 32);
    assert_eq!(profile.idr(IdRole::INITIATOR), None);
    assert_eq!((profile.sakke.params, profile.sakke.id_scheme), (SakkeParams::SET_1, IdScheme::UID_3GPP));
    assert_eq!(profile.sakke.data.len(), 273);
    assert_eq!((profile.sign.s_type, profile.sign.signature.len()), (SType::ECCSI, 129));
    assert_eq!(profile.policies().count(), 1);
    assert_eq!(profile.extension(ExtensionType::KEY_PARAMETERS).unwrap().data.len(), 0x47);
    assert_eq!(profile.extension(ExtensionType::SAKKE_TO_SELF), None);
}

#[test]
fn recorded_messages_encode_to_what_was_recorded() {
    for octets in recorded() {
        let message = Message::decode(&octets).unwrap();
        assert_eq!(message.encode().unwrap(), octets);
        assert_eq!(message.signed_length(), Some(octets.len() - 129));
        let signed = message.encode_to_be_signed(SType::ECCSI, 129).unwrap();
        assert_eq!(signed, octets[..octets.len() - 129]);
        assert_eq!(signed[signed.len() - 2..], [0x20, 0x81]);
    }
}

#[test]
fn the_layout_tells_where_each_payload_stands() {
    for octets in recorded() {
        let message = Message::decode(&octets).unwrap();
        let mut end = 0;
        let mut announced = None;
        for part in message.layout() {
            assert_eq!(part.offset, end);
            end += part.length;
            let next = match part.content {
                Content::Header(_) => octets[2],
                Content::Payload(payload) => {
                    assert_eq!(announced, Some(payload.payload_type().0));
                    octets[part.offset]
                }
                Content::Sign(_) => {
                    assert_eq!(announced, Some(PayloadType::SIGN.0));
                    0
                }
            };
            announced = Some(next);
        }
        assert_eq!((end, announced), (octets.len(), Some(0)));
    }
}
