//! What Wireshark should say of a message, from the values that were put into it.

use mikey_sakke::mikey::payload::{Kemac, KeyData, KeyValidity, Payload, Sp, Ts};
use mikey_sakke::mikey::registry::{CertType, EncrAlg, ExtensionType, MacAlg, PayloadType, ProtType, SrtpParam};
use mikey_sakke::mikey::{Content, CsIdMap, Message};

use crate::tshark::{Dissection, Field};

/// A value that was put in.
#[derive(Debug)]
enum Value {
    Number(u64),
    Octets(Vec<u8>),
}

/// Fields in their order, and whether they are all: Wireshark stops at a payload whose length it does not know.
#[derive(Default)]
struct Expected {
    fields: Vec<(&'static str, Value)>,
    /// Payloads with their offsets and lengths.
    trees: Vec<(&'static str, usize, usize)>,
    is_cut: bool,
}

impl Expected {
    fn number(&mut self, name: &'static str, number: impl Into<u64>) {
        self.fields.push((name, Value::Number(number.into())));
    }

    fn length(&mut self, name: &'static str, length: usize) {
        self.number(name, length as u64);
    }

    fn octets(&mut self, name: &'static str, octets: &[u8]) {
        self.fields.push((name, Value::Octets(octets.to_vec())));
    }

    /// A value behind its length.
    fn counted(&mut self, names: [&'static str; 2], octets: &[u8]) {
        self.length(names[0], octets.len());
        // What is empty is not shown.
        if !octets.is_empty() {
            self.octets(names[1], octets);
        }
    }

    fn message(message: &Message) -> Self {
        let parts: Vec<_> = message.layout().collect();
        let mut expected = Self::default();
        for (place, part) in parts.iter().enumerate() {
            let next = match parts.get(place + 1).map(|part| part.content) {
                Some(Content::Payload(payload)) => payload.payload_type(),
                Some(_) => PayloadType::SIGN,
                None => PayloadType::LAST,
            };
            let tree = match part.content {
                Content::Header(_) => Some("mikey.hdr"),
                Content::Payload(payload) => tree(payload.payload_type()),
                Content::Sign(_) => Some("mikey.sign"),
            };
            expected.trees.extend(tree.map(|name| (name, part.offset, part.length)));
            match part.content {
                Content::Header(_) => expected.header(message, next),
                Content::Payload(payload) => {
                    expected.number("mikey.next_payload", next.0);
                    expected.payload(payload);
                }
                Content::Sign(sign) => {
                    expected.number("mikey.sign.type", sign.s_type.0);
                    expected.counted(["mikey.sign.len", "mikey.sign.data"], &sign.signature);
                }
            }
            if expected.is_cut {
                break;
            }
        }
        expected
    }

    fn header(&mut self, message: &Message, next: PayloadType) {
        let header = &message.header;
        self.number("mikey.version", 1_u8);
        self.number("mikey.type", header.data_type.0);
        self.number("mikey.next_payload", next.0);
        self.number("mikey.v.set", u8::from(header.v));
        self.number("mikey.prf_func", header.prf_func.0);
        self.octets("mikey.csb_id", &header.csb_id);
        self.length("mikey.cs_count", header.cs_id_map.count());
        self.number("mikey.cs_id_map_type", header.cs_id_map.map_type().0);
        match &header.cs_id_map {
            CsIdMap::SrtpId(sessions) => {
                for session in sessions {
                    self.number("mikey.srtp_id.policy_no", session.policy);
                    self.octets("mikey.srtp_id.ssrc", &session.ssrc.to_be_bytes());
                    self.octets("mikey.srtp_id.roc", &session.roc.to_be_bytes());
                }
            }
            // A map that Wireshark does not know: it takes HDR to end here.
            CsIdMap::GenericId(sessions) if !sessions.is_empty() => {
                self.is_cut = true;
                self.trees.clear();
            }
            _ => {}
        }
    }

    fn payload(&mut self, payload: &Payload) {
        match payload {
            Payload::T(Ts::NtpUtc(value) | Ts::Ntp(value)) => {
                self.number("mikey.t.ts_type", u8::from(matches!(payload, Payload::T(Ts::Ntp(_)))));
                self.octets("mikey.t.ntp", &value.to_be_bytes());
            }
            Payload::Rand(rand) => self.counted(["mikey.rand.len", "mikey.rand.data"], &rand.0),
            Payload::Id(id) => {
                self.number("mikey.id.type", id.id_type.0);
                self.counted(["mikey.id.len", "mikey.id.data"], &id.data);
            }
            Payload::Idr(idr) => {
                self.number("mikey.id.role", idr.role.0);
                self.number("mikey.id.type", idr.id_type.0);
                self.counted(["mikey.id.len", "mikey.id.data"], &idr.data);
            }
            Payload::Cert(cert) => {
                self.number("mikey.cert.type", cert.cert_type.0);
                // This dissector reads the length one octet too early. It finds the end of a certificate all the same,
                // but not that of a URL.
                self.number("mikey.cert.len", u64::from(cert.cert_type.0) << 8 | (cert.data.len() >> 8) as u64);
                match cert.cert_type {
                    CertType::X509V3_URL => self.is_cut = true,
                    _ => self.octets("mikey.cert.data", &cert.data),
                }
            }
            Payload::Pke(pke) => {
                self.number("mikey.pke.c", pke.c);
                self.counted(["mikey.pke.len", "mikey.pke.data"], &pke.data);
            }
            Payload::Dh(dh) => {
                self.number("mikey.dh.group", dh.group.0);
                self.octets("mikey.dh.value", &dh.value);
                self.number("mikey.dh.reserv", dh.reserved);
                self.number("mikey.dh.kv", dh.validity.kv().0);
            }
            Payload::V(v) => {
                self.number("mikey.v.auth_alg", v.auth_alg.0);
                if v.auth_alg == MacAlg::HMAC_SHA_1_160 {
                    self.octets("mikey.v.ver_data", &v.ver_data);
                } else {
                    self.is_cut = true;
                }
            }
            Payload::Err(report) => {
                self.number("mikey.err.no", report.error_no.0);
                self.octets("mikey.err.reserved", &report.reserved.to_be_bytes());
            }
            Payload::Kemac(kemac) => self.kemac(kemac),
            Payload::Sp(sp) => self.sp(sp),
            Payload::GeneralExtension(extension) => {
                self.number("mikey.ext.type", extension.extension_type.0);
                let is_text = extension.extension_type == ExtensionType::SDP_IDS;
                let data = if is_text { "mikey.ext.value" } else { "mikey.ext.data" };
                self.counted(["mikey.ext.len", data], &extension.data);
            }
            Payload::Sakke(sakke) => {
                self.number("mikey.sakke.params", sakke.params.0);
                self.number("mikey.sakke.idscheme", sakke.id_scheme.0);
                self.counted(["mikey.sakke.len", "mikey.sakke.data"], &sakke.data);
            }
            // CHASH, RANDR and what else has no dissector.
            _ => self.is_cut = true,
        }
    }

    fn kemac(&mut self, kemac: &Kemac) {
        self.number("mikey.kemac.encr_alg", kemac.encr_alg.0);
        self.length("mikey.kemac.key_data_len", kemac.encr_data.len());
        if kemac.encr_alg == EncrAlg::NULL {
            let keys = KeyData::decode_all(&kemac.encr_data).unwrap();
            let [key] = keys.as_slice() else { panic!("this dissector reads one key") };
            self.number("mikey.key.type", key.key_type.0);
            self.number("mikey.key.kv", key.validity.kv().0);
            self.counted(["mikey.key.data.len", "mikey.key.data"], key.key.expose());
            if let Some(salt) = &key.salt {
                self.counted(["mikey.key.salt.len", "mikey.key.salt"], salt.expose());
            }
            match &key.validity {
                KeyValidity::Null => {}
                KeyValidity::Spi(spi) => self.counted(["mikey.key.kv.spi.len", "mikey.key.kv.spi"], spi),
                KeyValidity::Interval { from, to } => {
                    self.counted(["mikey.key.kv.from.len", "mikey.key.kv.from"], from);
                    self.counted(["mikey.key.kv.to.len", "mikey.key.kv.to"], to);
                }
            }
        } else {
            self.octets("mikey.kemac.key_data", &kemac.encr_data);
        }
        self.number("mikey.kemac.mac_alg", kemac.mac_alg.0);
        self.octets("mikey.kemac.mac", &kemac.mac);
    }

    /// Each parameter under its own name, and once more as type, length and value.
    fn sp(&mut self, sp: &Sp) {
        const NAMES: [&str; 13] = [
            "mikey.sp.encr_alg",
            "mikey.sp.encr_len",
            "mikey.sp.auth_alg",
            "mikey.sp.auth_key_len",
            "mikey.sp.salt_len",
            "mikey.sp.prf",
            "mikey.sp.kd_rate",
            "mikey.sp.srtp_encr",
            "mikey.sp.srtcp_encr",
            "mikey.sp.fec",
            "mikey.sp.srtp_auth",
            "mikey.sp.auth_tag_len",
            "mikey.sp.srtp_prefix",
        ];
        assert_eq!(sp.prot_type, ProtType::SRTP);
        self.number("mikey.sp.no", sp.policy);
        self.number("mikey.sp.proto_type", sp.prot_type.0);
        self.length("mikey.sp.param_len", sp.params.iter().map(|param| 2 + param.value.len()).sum());
        for param in &sp.params {
            let name = NAMES.get(usize::from(param.param_type)).unwrap_or(&"mikey.sp.param");
            // This one has a text of its own and no name.
            if param.param_type != SrtpParam::ROC_TRANSMISSION_RATE.0 {
                self.octets(name, &param.value);
            }
            self.number("mikey.sp.param.type", param.param_type);
            self.length("mikey.sp.param.len", param.value.len());
            self.octets("mikey.sp.patam.value", &param.value);
        }
    }
}

/// The name under which Wireshark shows a payload as a whole.
fn tree(payload_type: PayloadType) -> Option<&'static str> {
    Some(match payload_type {
        PayloadType::KEMAC => "mikey.kemac",
        PayloadType::PKE => "mikey.pke",
        PayloadType::DH => "mikey.dh",
        PayloadType::T => "mikey.t",
        PayloadType::ID => "mikey.id",
        PayloadType::CERT => "mikey.cert",
        PayloadType::V => "mikey.v",
        PayloadType::SP => "mikey.sp",
        PayloadType::RAND => "mikey.rand",
        PayloadType::ERR => "mikey.err",
        PayloadType::IDR => "mikey.idr",
        PayloadType::GENERAL_EXTENSION => "mikey.ext",
        PayloadType::SAKKE => "mikey.sakke",
        _ => return None,
    })
}

/// Asserts that a dissection names each field of the message with the value that was put in, in the same order, and
/// nothing else; and that the payloads stand where the layout has them.
pub(crate) fn assert_agrees(name: &str, message: &Message, dissection: &Dissection) {
    let expected = Expected::message(message);
    let leaves: Vec<&Field> = dissection.fields.iter().filter(|field| !field.is_tree).collect();
    let all = || leaves.iter().map(|field| format!("{} = {}", field.name, field.show)).collect::<Vec<_>>().join("\n");
    for ((expected, value), field) in expected.fields.iter().zip(&leaves) {
        assert_eq!(*expected, field.name, "{name}: {}", all());
        match value {
            Value::Number(number) => assert_eq!(shown(field), *number, "{name}: {expected}"),
            Value::Octets(octets) => assert_eq!(field.value, hex::encode(octets), "{name}: {expected}"),
        }
    }
    assert!(leaves.len() >= expected.fields.len(), "{name}: {}", all());
    let is_payload = |field: &&Field| field.is_tree && !matches!(field.name.as_str(), "mikey.srtp_id" | "mikey.key");
    let trees = dissection.fields.iter().filter(is_payload);
    let trees: Vec<_> = trees.map(|field| (field.name.as_str(), field.offset, field.length)).collect();
    if expected.is_cut {
        let common = trees.len().min(expected.trees.len());
        // The last one reaches as far as Wireshark could not go on.
        let known = common.saturating_sub(1);
        assert_eq!(trees[..known], expected.trees[..known], "{name}");
    } else {
        assert_eq!(leaves.len(), expected.fields.len(), "{name}: {}", all());
        assert_eq!(trees, expected.trees, "{name}");
        assert!(!dissection.has_complaints, "{name}: {dissection:#?}");
    }
}

/// The number that is displayed.
fn shown(field: &Field) -> u64 {
    let number = match field.show.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => field.show.parse(),
    };
    number.unwrap_or_else(|_| panic!("{field:?}"))
}
