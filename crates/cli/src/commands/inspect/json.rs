//! A message as one JSON object.

use mikey_sakke::mikey::registry::PayloadType;
use mikey_sakke::mikey::{CsIdMap, Fault, Field, GenericId, Header, InspectedPart, Inspection, SrtpId, Value};
use serde_json::{Map, Value as Json, json};

use super::text::text;

pub(super) fn to_json(inspection: &Inspection<'_>, octets: &[u8]) -> Map<String, Json> {
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
    let members = [
        ("ok", inspection.faults.is_empty().into()),
        ("length", octets.len().into()),
        ("header", inspection.header().map(|header| header_json(header, octets)).into()),
        ("payloads", inspection.parts.iter().filter_map(payload).collect()),
        ("faults", inspection.faults.iter().map(fault).collect()),
        ("signedLength", inspection.signed_length.into()),
    ];
    Map::from_iter(members.map(|(name, value)| (name.to_owned(), value)))
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
