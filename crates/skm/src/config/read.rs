//! How values are read that are more than texts and numbers.

use mikey_sakke::identity::Uri;
use mikey_sakke::km::Identifier;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::tls::San;

pub(crate) fn uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uri, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Err(D::Error::custom("empty, and a URI is needed here"));
    }
    let spelling = "not a URI in its one spelling, with scheme and host in lower case and without a port";
    Uri::parse(&text).map_err(|_| D::Error::custom(format_args!("{text:?} is {spelling}")))
}

pub(crate) fn optional_uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uri>, D::Error> {
    uri(deserializer).map(Some)
}

pub(crate) fn identifier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Identifier, D::Error> {
    checked(&String::deserialize(deserializer)?)
}

pub(crate) fn optional_identifier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Identifier>, D::Error> {
    identifier(deserializer).map(Some)
}

pub(crate) fn identifiers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Identifier>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| checked(text)).collect()
}

pub(crate) fn san<'de, D: Deserializer<'de>>(deserializer: D) -> Result<San, D::Error> {
    San::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn checked<E: Error>(text: &str) -> Result<Identifier, E> {
    Identifier::new(text).map_err(|_| E::custom("not 1 to 1024 octets without control characters"))
}
