//! A message as people read it.

use mikey_sakke::mikey::{Field, Inspection, Value};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::Moment;

/// Columns in front of the fields of a part.
pub(super) const INDENT: usize = 9;

/// Octets in a line of hexadecimal.
const OCTETS_PER_LINE: usize = 32;

pub(super) fn print(inspection: &Inspection<'_>, octets: &[u8], with_octets: bool) {
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
pub(super) fn text(value: &Value) -> String {
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
