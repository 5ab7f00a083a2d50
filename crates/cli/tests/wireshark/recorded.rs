//! Recorded messages, made anew from values.

use mikey_sakke::mikey::payload::{GeneralExtension, Idr, Payload, Rand, Sakke, Sign, Sp, Ts};
use mikey_sakke::mikey::registry::{
    DataType, ExtensionType, IdRole, IdScheme, IdType, PrfFunc, ProtType, SType, SakkeParams, SrtpParam,
};
use mikey_sakke::mikey::{CsIdMap, GenericId, Header, Message};
use serde_json::Value;

use crate::assert_dissected;

/// A message of TS 33.180 as it was recorded, and what it should hold.
struct Recorded {
    octets: Vec<u8>,
    csb_id: [u8; 4],
    cs_id: u8,
    /// The MKI.
    spi: Vec<u8>,
    rand: [u8; 16],
    /// Those of initiator and responder.
    uids: [Vec<u8>; 2],
}

fn recorded() -> [Recorded; 2] {
    let file: Value = serde_json::from_str(include_str!("../../../../test-vectors/imessage.json")).unwrap();
    let read = |test: usize, cs_id| {
        let test = &file["testGroups"][0]["tests"][test];
        let octets = |name: &str| hex::decode(test[name].as_str().unwrap()).unwrap();
        let csb_id: [u8; 4] = octets("csbId").try_into().unwrap();
        // A group key goes by two identifiers, one of the key and one of the user.
        let spi = if octets("keyId") == csb_id { csb_id.to_vec() } else { [octets("keyId"), csb_id.to_vec()].concat() };
        let uids = [octets("initiatorIdentity"), octets("responderIdentity")];
        Recorded { octets: octets("message"), csb_id, cs_id, spi, rand: octets("rand").try_into().unwrap(), uids }
    };
    [read(0, 4), read(1, 6)]
}

impl Recorded {
    /// The message, from what is known of it and from octets that only its keys could explain.
    fn rebuilt(&self) -> Message {
        const SIGNATURE: usize = 129;
        /// Octets of the key parameters: those of a group key have a list of groups.
        const PARAMETERS: [usize; 2] = [0x47, 0x44];
        const KMS: &[u8] = b"kms.mydev.streamwide.com";
        let identity = |role, data: &[u8]| Payload::Idr(Idr { role, id_type: IdType::URI, data: data.to_vec() });
        let session = GenericId {
            cs_id: self.cs_id,
            prot_type: ProtType::SRTP,
            s: false,
            policies: vec![0],
            session_data: vec![],
            spi: self.spi.clone(),
        };
        let signature = self.octets.len() - SIGNATURE;
        let parameters = PARAMETERS[usize::from(self.cs_id == 6)];
        let parameters = signature - 2 - parameters..signature - 2;
        let sakke = parameters.start - 4 - 273..parameters.start - 4;
        let params = [(0, 6), (1, 16), (2, 4), (4, 12), (5, 0), (6, 0), (18, 4), (19, 0), (20, 16)];
        Message {
            header: Header {
                data_type: DataType::SAKKE_MSG,
                v: false,
                prf_func: PrfFunc::HMAC_SHA_256,
                csb_id: self.csb_id,
                cs_id_map: CsIdMap::GenericId(vec![session]),
            },
            payloads: vec![
                Payload::T(Ts::NtpUtc(0xec89_8da8_0000_0000)),
                Payload::Rand(Rand(self.rand.to_vec())),
                identity(IdRole::INITIATOR_UID, &self.uids[0]),
                identity(IdRole::RESPONDER_UID, &self.uids[1]),
                identity(IdRole::INITIATOR_KMS, KMS),
                identity(IdRole::RESPONDER_KMS, KMS),
                Payload::Sp(Sp::srtp(0, &params.map(|(param, value)| (SrtpParam(param), value)))),
                Payload::Sakke(Sakke {
                    params: SakkeParams::SET_1,
                    id_scheme: IdScheme::UID_3GPP,
                    data: self.octets[sakke].to_vec(),
                }),
                Payload::GeneralExtension(GeneralExtension {
                    extension_type: ExtensionType::KEY_PARAMETERS,
                    data: self.octets[parameters].to_vec(),
                }),
            ],
            sign: Some(Sign { s_type: SType::ECCSI, signature: self.octets[signature..].to_vec() }),
        }
    }
}

/// The map and the roles that Wireshark does not know, as others send them.
#[test]
fn values_make_the_octets_that_were_recorded() {
    for recorded in recorded() {
        assert_eq!(hex::encode(recorded.rebuilt().encode().unwrap()), hex::encode(&recorded.octets));
    }
}

#[test]
fn wireshark_agrees() {
    let [group, signalling] = recorded();
    assert_dissected(&[("recorded GMK", group.octets), ("recorded CSK", signalling.octets)]);
}
