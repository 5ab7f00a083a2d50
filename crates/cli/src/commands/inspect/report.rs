//! What came of opening a message, as text and as JSON.

use mikey_sakke::imessage::{KeyProperties, SkId};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::Moment;
use serde_json::{Map, Value as Json, json};
use zeroize::Zeroizing;

use super::keys::{Key, Opening};
use super::srtp::Session;
use super::text::INDENT;

pub(super) fn print(opening: &Opening) {
    println!("  Opened at the time of the message, {}, without a replay cache.", Moment(opening.at));
    line("Signed by", opening.signer.as_deref().unwrap_or("not named"));
    let signature = match opening.verifies {
        Some(true) => "verifies",
        Some(false) => "does not verify",
        None => "not verified",
    };
    line("Signature", signature);
    if let Some(key) = &opening.key {
        print_key(key);
        match &opening.shown {
            Some(sessions) => {
                line("Key", &secret(key));
                line("RAND", &hex::encode(&key.rand));
                sessions.iter().for_each(print_session);
            }
            None => line("Key", "not shown without --show-keys"),
        }
    }
    if let Some(fault) = &opening.fault {
        println!("  not accepted at octet {}: {}", fault.offset, fault.what);
    }
}

fn print_key(key: &Key) {
    line("Key identifier", &key.id.to_string());
    if key.csb_id != key.id {
        line("Known to you as", &key.csb_id.to_string());
    }
    line("Purpose", &purpose(key.id));
    let Some(properties) = &key.properties else { return };
    let KeyProperties { key_type, status, activation, expiry, text, groups } = properties;
    line("Key type", &key_type.to_string());
    line("Status", &format!("{status:08x}{}", if properties.is_revoked() { " (revoked)" } else { "" }));
    line("Activation time", &instant(*activation, "with the message"));
    line("Expiry time", &instant(*expiry, "never"));
    if !text.is_empty() {
        line("Text", &printable(text));
    }
    groups.iter().for_each(|group| line("Group", &printable(group)));
}

fn print_session(session: &Result<Session, String>) {
    let session = match session {
        Ok(session) => session,
        Err(why) => return println!("  No SRTP keys: {why}."),
    };
    let of = session.sender.as_ref().map(|sender| format!(" of {sender}")).unwrap_or_default();
    println!("  SRTP keys for CS ID {}{of}", session.cs_id);
    let policy = session.policy.map_or("no policy stated".to_owned(), |number| format!("policy {number}"));
    line("Suite", &format!("{} ({policy})", session.suite.name));
    line("Master key", &session.master_key());
    line("Master salt", &session.master_salt());
    line("MKI", if session.mki.is_empty() { "none".into() } else { hex::encode(&session.mki) }.as_str());
    line("libsrtp", &session.libsrtp());
    line("SDP crypto", &session.inline());
    line("GStreamer srtpdec", &session.gstreamer());
    match session.ffmpeg() {
        Ok(options) => line("FFmpeg", &options),
        Err(why) => line("FFmpeg", why),
    }
    if session.sends_roc {
        println!("{:INDENT$}Packets carry the rollover counter (RFC 4771), which these programs do not read.", "");
    }
}

fn line(name: &str, value: &str) {
    println!("{:INDENT$}{name:<28} {value}", "");
}

fn secret(key: &Key) -> Zeroizing<String> {
    hex::encode(key.key.expose()).into()
}

fn purpose(id: SkId) -> String {
    let purpose = id.purpose();
    match purpose.name() {
        Some(name) => format!("{purpose} ({name} in TS 33.180)"),
        None => purpose.to_string(),
    }
}

/// Seconds since 1970.
fn instant(seconds: u64, if_zero: &str) -> String {
    match (seconds, Timestamp::from_unix(seconds)) {
        (0, _) => if_zero.to_owned(),
        (_, Ok(at)) => Moment(at).to_string(),
        (seconds, Err(_)) => format!("{seconds} s after 1970"),
    }
}

/// Text of others, without what a terminal might obey.
fn printable(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => octets.escape_ascii().to_string(),
    }
}

/// Adds the member `keys`, and what is wrong to the others.
pub(super) fn add_to(object: &mut Map<String, Json>, opening: &Opening) {
    let mut keys = json!({
        "at": Moment(opening.at).to_string(),
        "signer": opening.signer,
        "verifies": opening.verifies,
    });
    if let Some(key) = &opening.key {
        keys["id"] = key.id.to_string().into();
        keys["csbId"] = key.csb_id.to_string().into();
        keys["purpose"] = key.id.purpose().number().into();
        keys["properties"] = key.properties.as_ref().map(properties).into();
        if let Some(sessions) = &opening.shown {
            keys["key"] = secret(key).as_str().into();
            keys["rand"] = hex::encode(&key.rand).into();
            keys["srtp"] = sessions.iter().map(session).collect();
        }
    }
    object.insert("keys".to_owned(), keys);
    if let Some(fault) = &opening.fault {
        object.insert("ok".to_owned(), false.into());
        if let Some(Json::Array(faults)) = object.get_mut("faults") {
            faults.push(json!({ "offset": fault.offset, "payload": fault.payload, "what": fault.what }));
        }
    }
}

fn properties(properties: &KeyProperties) -> Json {
    json!({
        "keyType": properties.key_type,
        "status": properties.status,
        "activation": properties.activation,
        "expiry": properties.expiry,
        "text": printable(&properties.text),
        "groups": properties.groups.iter().map(|group| printable(group)).collect::<Vec<_>>(),
    })
}

fn session(session: &Result<Session, String>) -> Json {
    match session {
        Ok(session) => json!({
            "csId": session.cs_id,
            "sender": session.sender,
            "suite": session.suite.name,
            "policy": session.policy,
            "masterKey": session.master_key().as_str(),
            "masterSalt": session.master_salt().as_str(),
            "mki": hex::encode(&session.mki),
            "libsrtp": session.libsrtp().as_str(),
            "inline": session.inline().as_str(),
            "gstreamer": session.gstreamer().as_str(),
            "ffmpeg": session.ffmpeg().ok().as_ref().map(|options| options.as_str()),
        }),
        Err(why) => json!({ "why": why }),
    }
}
