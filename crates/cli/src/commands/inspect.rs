//! `mikey-sakke inspect`

use std::fmt::Write;
use std::process::ExitCode;

use mikey_sakke::error::DecodeError;
use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::{Payload, Ts};
use mikey_sakke::mikey::registry::{DataType, ExtensionType, IdType, PayloadType, ProtType, SrtpParam};
use mikey_sakke::mikey::{Content, CsIdMap, Header, Message, Part};
use mikey_sakke::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::input;
use crate::moment::Moment;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The message: a file, `-` for standard input, or hexadecimal, base64 or an SDP key-mgmt attribute
    message: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let octets = input::message(&arguments.message)?;
    let inspection = Inspection::of(&octets);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&inspection.to_json(&octets))?);
    } else {
        inspection.print(&octets);
    }
    Ok(if inspection.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows a message as people read it.
pub(crate) fn print(octets: &[u8]) {
    Inspection::of(octets).print(octets);
}

/// A message, or what is wrong with it.
struct Inspection {
    message: Option<Message>,
    faults: Vec<DecodeError>,
}

impl Inspection {
    fn of(octets: &[u8]) -> Self {
        match Message::decode(octets) {
            Err(error) => Self { message: None, faults: vec![error] },
            Ok(message) => {
                let is_i_message = message.header.data_type == DataType::SAKKE_MSG;
                let fault = is_i_message.then(|| IMessage::from_message(&message).err()).flatten();
                Self { message: Some(message), faults: fault.into_iter().collect() }
            }
        }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        self.message.iter().flat_map(Message::layout).collect()
    }

    fn signed_length(&self) -> Option<usize> {
        self.message.as_ref().and_then(Message::signed_length)
    }

    /// The payload that a fault is in, counted from 0 behind HDR.
    fn payload_of(&self, fault: &DecodeError) -> Option<usize> {
        let inside = |part: &Part<'_>| (part.offset..part.offset + part.length).contains(&fault.offset);
        self.parts().iter().position(inside).and_then(|position| position.checked_sub(1))
    }

    fn print(&self, octets: &[u8]) {
        for part in self.parts() {
            println!("  {:>5}  {:<18} {} octets", part.offset, part.content.to_string(), part.length);
            for (name, value) in fields(part.content) {
                let text = match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                println!("{:>26} {name:<28} {}", "", shortened(&text));
            }
        }
        if let Some(signed) = self.signed_length() {
            println!("  The signature covers the first {signed} of {} octets.", octets.len());
        }
        for fault in &self.faults {
            println!("  {fault}");
        }
    }

    fn to_json(&self, octets: &[u8]) -> Value {
        let header = self.message.as_ref().map(|message| header_json(&message.header, octets[2]));
        let payload = |part: Part<'_>| {
            let PayloadType(number) = match part.content {
                Content::Header(_) => return None,
                Content::Payload(payload) => payload.payload_type(),
                Content::Sign(_) => PayloadType::SIGN,
            };
            Some(json!({
                "type": number,
                "name": part.content.to_string(),
                "offset": part.offset,
                "length": part.length,
                "raw": hex::encode(&octets[part.offset..part.offset + part.length]),
                "fields": Map::from_iter(fields(part.content).into_iter().map(|(name, value)| (name.to_owned(), value))),
            }))
        };
        let fault = |fault: &DecodeError| json!({ "offset": fault.offset, "payload": self.payload_of(fault), "what": fault.kind.to_string() });
        json!({
            "ok": self.faults.is_empty(),
            "length": octets.len(),
            "header": header,
            "payloads": self.parts().into_iter().filter_map(payload).collect::<Vec<_>>(),
            "faults": self.faults.iter().map(fault).collect::<Vec<_>>(),
            "signedLength": self.signed_length(),
        })
    }
}

fn header_json(header: &Header, next_payload: u8) -> Value {
    let (count, map_type, map) = match &header.cs_id_map {
        CsIdMap::SrtpId(sessions) => {
            let session = |session: &mikey_sakke::mikey::SrtpId| json!({ "policy": session.policy, "ssrc": session.ssrc, "roc": session.roc });
            (sessions.len(), 0, sessions.iter().map(session).collect())
        }
        CsIdMap::Empty(count) => ((*count).into(), 1, Vec::new()),
        CsIdMap::GenericId(sessions) => {
            let session = |session: &mikey_sakke::mikey::GenericId| {
                json!({
                    "csId": session.cs_id,
                    "protType": session.prot_type.0,
                    "s": session.s,
                    "policies": session.policies,
                    "sessionData": hex::encode(&session.session_data),
                    "spi": hex::encode(&session.spi),
                })
            };
            (sessions.len(), 2, sessions.iter().map(session).collect())
        }
    };
    json!({
        "version": 1,
        "dataType": header.data_type.0,
        "nextPayload": next_payload,
        "v": header.v,
        "prf": header.prf_func.0,
        "csbId": hex::encode(header.csb_id),
        "csCount": count,
        "mapType": map_type,
        "map": map,
    })
}

/// The fields of a part by their names in the standards. Numbers with a name are shown with it.
fn fields(content: Content<'_>) -> Vec<(&'static str, Value)> {
    match content {
        Content::Header(header) => header_fields(header),
        Content::Payload(payload) => payload_fields(payload),
        Content::Sign(sign) => {
            vec![
                ("S type", named(sign.s_type.0, &sign.s_type)),
                ("Signature length", sign.signature.len().into()),
                ("Signature", hex::encode(&sign.signature).into()),
            ]
        }
    }
}

fn header_fields(header: &Header) -> Vec<(&'static str, Value)> {
    let map = format!("{}, #CS {}", header.cs_id_map.map_type(), header.cs_id_map.count());
    vec![
        ("version", 1.into()),
        ("data type", named(header.data_type.0, &header.data_type)),
        ("V", header.v.into()),
        ("PRF func", named(header.prf_func.0, &header.prf_func)),
        ("CSB ID", hex::encode(header.csb_id).into()),
        ("CS ID map", map.into()),
    ]
}

fn payload_fields(payload: &Payload) -> Vec<(&'static str, Value)> {
    match payload {
        Payload::T(timestamp) => {
            let value = match *timestamp {
                Ts::NtpUtc(bits) | Ts::Ntp(bits) => instant(bits, format!("{bits:016x}")),
                Ts::NtpUtc32(seconds) => instant(u64::from(seconds) << 32, format!("{seconds:08x}")),
                Ts::Counter(counter) => counter.into(),
            };
            let ts_type = timestamp.ts_type();
            vec![("TS type", named(ts_type.0, &ts_type)), ("TS value", value)]
        }
        Payload::Rand(rand) => vec![("RAND", hex::encode(&rand.0).into())],
        Payload::Id(identity) => {
            vec![
                ("ID type", named(identity.id_type.0, &identity.id_type)),
                ("ID data", text(identity.id_type, &identity.data)),
            ]
        }
        Payload::Idr(identity) => vec![
            ("ID role", named(identity.role.0, &identity.role)),
            ("ID type", named(identity.id_type.0, &identity.id_type)),
            ("ID data", text(identity.id_type, &identity.data)),
        ],
        Payload::Cert(certificate) => vec![
            ("Cert type", named(certificate.cert_type.0, &certificate.cert_type)),
            ("Certificate", hex::encode(&certificate.data).into()),
        ],
        Payload::Sp(policy) => {
            let param = |param: &mikey_sakke::mikey::payload::SpParam| {
                let name = if policy.prot_type == ProtType::SRTP { SrtpParam(param.param_type).name() } else { None };
                let name =
                    name.map_or_else(|| param.param_type.to_string(), |name| format!("{} {name}", param.param_type));
                format!("{name}: {}", hex::encode(&param.value)).into()
            };
            vec![
                ("Policy no", policy.policy.into()),
                ("Prot type", named(policy.prot_type.0, &policy.prot_type)),
                ("Policy param", Value::Array(policy.params.iter().map(param).collect())),
            ]
        }
        Payload::GeneralExtension(extension) => vec![
            ("Type", named(extension.extension_type.0, &extension.extension_type)),
            (
                "Data",
                match extension.extension_type {
                    ExtensionType::VENDOR_ID | ExtensionType::SDP_IDS => text(IdType::NAI, &extension.data),
                    _ => hex::encode(&extension.data).into(),
                },
            ),
        ],
        Payload::Sakke(sakke) => vec![
            ("SAKKE params", named(sakke.params.0, &sakke.params)),
            ("ID scheme", named(sakke.id_scheme.0, &sakke.id_scheme)),
            ("SAKKE data length", sakke.data.len().into()),
            ("SAKKE data", hex::encode(&sakke.data).into()),
        ],
        _ => Vec::new(),
    }
}

fn named(number: u8, name: &dyn std::fmt::Display) -> Value {
    format!("{number} ({name})").into()
}

/// An NTP timestamp with the instant that it stands for, in the era of the present.
fn instant(bits: u64, hex: String) -> Value {
    let mut text = hex;
    if let Ok(now) = Timestamp::now() {
        let _ = write!(text, " ({})", Moment(Timestamp::from_ntp(bits, now)));
    }
    text.into()
}

/// Text where it can be shown as such, else hexadecimal.
fn text(id_type: IdType, data: &[u8]) -> Value {
    match std::str::from_utf8(data) {
        Ok(text) if id_type != IdType::BYTE_STRING && !text.contains(char::is_control) => text.into(),
        _ => hex::encode(data).into(),
    }
}

/// Long octet strings from their beginning; --json has them whole.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}
