//! `mikey-sakke inspect`

use std::process::ExitCode;

use mikey_sakke::mikey::registry::PayloadType;
use mikey_sakke::mikey::{
    CsIdMap, Fault, Field, GenericId, Header, InspectedPart, Inspection, SrtpId, Tolerance, Tolerances, Value, inspect,
};
use mikey_sakke::time::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::input;
use crate::moment::Moment;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The message: a file, `-` for standard input, or hexadecimal, base64 or an SDP key-mgmt attribute
    message: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Departures from the standards to accept: sp-with-empty-map and generic-id-no-cs, which are accepted anyway,
    /// missing-cs-blocks, short-rand, sign-header-excluded
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    tolerate: Vec<Tolerance>,
    /// Accept no departure from the standards but those given with --tolerate
    #[arg(long)]
    strict: bool,
}

impl Arguments {
    fn tolerances(&self) -> Tolerances {
        let base = if self.strict { Tolerances::NONE } else { Tolerances::default() };
        self.tolerate.iter().copied().fold(base, Tolerances::with)
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let octets = input::message(&arguments.message)?;
    let inspection = inspect(&octets, arguments.tolerances());
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&to_json(&inspection, &octets))?);
    } else {
        print_text(&inspection, &octets, true);
    }
    Ok(if inspection.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows a message as people read it, without its octets.
pub(crate) fn print(octets: &[u8]) {
    print_text(&inspect(octets, Tolerances::default()), octets, false);
}

// ---- text

/// Columns in front of the fields of a part.
const INDENT: usize = 9;

/// Octets in a line of hexadecimal.
const OCTETS_PER_LINE: usize = 32;

fn print_text(inspection: &Inspection<'_>, octets: &[u8], with_octets: bool) {
    let print_octets = |octets: &[u8]| {
        for line in octets.chunks(OCTETS_PER_LINE).filter(|_| with_octets) {
            println!("{:INDENT$}| {}", "", hex::encode(line));
        }
    };
    for part in &inspection.parts {
        let malformed = if part.content.is_none() { ", malformed" } else { "" };
        println!("  {:>5}  {:<18} {} octets{malformed}", part.offset, part.to_string(), part.octets.len());
        print_fields(&part.fields(), INDENT);
        print_octets(part.octets);
    }
    let rest = &octets[inspection.length..];
    if !rest.is_empty() {
        println!("  {:>5}  {} octets that cannot be told apart", inspection.length, rest.len());
        print_octets(rest);
    }
    if let Some(signed) = inspection.signed_length {
        println!("  The signature covers the first {signed} of {} octets.", octets.len());
    }
    for fault in &inspection.faults {
        println!("  {fault}");
    }
}

fn print_fields(fields: &[Field], indent: usize) {
    for Field { name, value } in fields {
        match value {
            Value::Fields(inner) => {
                println!("{:indent$}{name}", "");
                print_fields(inner, indent + 2);
            }
            Value::List(values) if values.iter().any(|value| matches!(value, Value::Fields(_))) => {
                println!("{:indent$}{name}", "");
                for value in values {
                    println!("{:1$}{2}", "", indent + 2, text(value));
                }
            }
            value => println!("{:indent$}{name:<28} {}", "", shortened(&text(value))),
        }
    }
}

/// A value in one line.
fn text(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Named(number, Some(name)) => format!("{number} ({name})"),
        Value::Named(number, None) => number.to_string(),
        Value::Flag(flag) => u8::from(*flag).to_string(),
        Value::Text(text) => text.clone(),
        Value::Octets(octets) => hex::encode(octets),
        Value::Ntp(bits) => match instant(*bits) {
            Some(moment) => format!("{bits:016x} ({moment})"),
            None => format!("{bits:016x}"),
        },
        Value::Fields(fields) => {
            let field = |field: &Field| format!("{}: {}", field.name, text(&field.value));
            fields.iter().map(field).collect::<Vec<_>>().join(", ")
        }
        Value::List(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

/// The instant that an NTP timestamp stands for, in the era of the present.
fn instant(bits: u64) -> Option<Moment> {
    Timestamp::now().ok().map(|now| Moment(Timestamp::from_ntp(bits, now)))
}

/// Long text from its beginning; the octets are shown whole below the fields.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

// ---- JSON

fn to_json(inspection: &Inspection<'_>, octets: &[u8]) -> Json {
    let payload = |part: &InspectedPart<'_>| {
        let PayloadType(number) = part.payload_type?;
        Some(json!({
            "type": number,
            "name": part.to_string(),
            "offset": part.offset,
            "length": part.octets.len(),
            "raw": hex::encode(part.octets),
            "fields": fields_json(&part.fields()),
        }))
    };
    let fault = |fault: &Fault| {
        json!({
            "offset": fault.error.offset,
            "payload": fault.payload,
            "what": fault.error.kind.to_string(),
        })
    };
    json!({
        "ok": inspection.faults.is_empty(),
        "length": octets.len(),
        "header": inspection.header().map(|header| header_json(header, octets)),
        "payloads": inspection.parts.iter().filter_map(payload).collect::<Vec<_>>(),
        "faults": inspection.faults.iter().map(fault).collect::<Vec<_>>(),
        "signedLength": inspection.signed_length,
    })
}

/// HDR. Its next-payload octet is the third.
fn header_json(header: &Header, octets: &[u8]) -> Json {
    let srtp_id = |session: &SrtpId| json!({ "policy": session.policy, "ssrc": session.ssrc, "roc": session.roc });
    let generic_id = |session: &GenericId| {
        json!({
            "csId": session.cs_id,
            "protType": session.prot_type.0,
            "s": session.s,
            "policies": session.policies,
            "sessionData": hex::encode(&session.session_data),
            "spi": hex::encode(&session.spi),
        })
    };
    let map = match &header.cs_id_map {
        CsIdMap::SrtpId(sessions) => sessions.iter().map(srtp_id).collect(),
        CsIdMap::GenericId(sessions) => sessions.iter().map(generic_id).collect(),
        CsIdMap::Empty(_) | CsIdMap::Missing { .. } => Vec::new(),
    };
    json!({
        "version": octets[0],
        "dataType": header.data_type.0,
        "nextPayload": octets[2],
        "v": header.v,
        "prf": header.prf_func.0,
        "csbId": hex::encode(header.csb_id),
        "csCount": header.cs_id_map.count(),
        "mapType": header.cs_id_map.map_type().0,
        "map": map,
    })
}

fn fields_json(fields: &[Field]) -> Json {
    let field = |field: &Field| (field.name.to_owned(), value_json(&field.value));
    Json::Object(Map::from_iter(fields.iter().map(field)))
}

/// A number of a registry that has a name there is shown with it; octets are hexadecimal.
fn value_json(value: &Value) -> Json {
    match value {
        Value::Number(number) => (*number).into(),
        Value::Flag(flag) => (*flag).into(),
        Value::Fields(fields) => fields_json(fields),
        Value::List(values) => values.iter().map(value_json).collect(),
        value => text(value).into(),
    }
}
