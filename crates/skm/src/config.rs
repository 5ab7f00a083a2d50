//! The configuration of the server: a file in TOML, and what the environment says otherwise.
//!
//! A variable `SKMS__DOMAIN__SKMS_URI` stands for the key `skms_uri` of `[domain]`. Its value is an integer, a boolean,
//! an array or a text in quotes as in TOML; anything else is a text as it is.

mod capif;
mod peer;
pub(crate) mod read;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use capif::{Capif, CapifMethod};
pub use peer::PeerDomain;
pub use settings::{Auth, Config, Domain, Escrow, Limits, Listen, Seal, Store, Time};

/// How the names of variables begin.
const PREFIX: &str = "SKMS__";

/// A configuration that is not accepted: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub place: Origin,
    /// What.
    pub what: String,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file as a whole.
    File,
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Origin::File => write!(f, "{}", self.what),
            Origin::Line(line) => write!(f, "line {line}: {}", self.what),
            Origin::Variable(name) => write!(f, "environment variable {name}: {}", self.what),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file and the environment of this process.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError { place: Origin::File, what: format!("{}: {error}", path.display()) })?;
        let variables = std::env::vars_os();
        let variables =
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::read(&text, variables)
    }

    /// Reads a configuration from a text and variables, of which those of other programs are passed over.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first fault.
    pub fn read(text: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let variables: BTreeMap<_, _> = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let variables: Vec<_> = variables.into_iter().collect();
        let sources = Sources { text, variables: &variables };
        let mut table = DeTable::parse(text).map_err(|error| sources.error(&error))?;
        for (index, (name, value)) in variables.iter().enumerate() {
            // Variables stand behind the end of the text, one octet each, so that errors find them.
            let span = text.len() + index..text.len() + index + 1;
            let refused = |what: &str| ConfigError { place: Origin::Variable(name.clone()), what: what.into() };
            let keys = name[PREFIX.len()..].to_ascii_lowercase();
            let Some((section, key)) =
                keys.split_once("__").filter(|(section, key)| !section.is_empty() && !key.is_empty())
            else {
                return Err(refused("not of the form SKMS__SECTION__KEY"));
            };
            let section = table
                .get_mut()
                .entry(Spanned::new(span.clone(), section.to_owned().into()))
                .or_insert_with(|| Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
            let DeValue::Table(section) = section.get_mut() else {
                return Err(refused("no section with keys of its own"));
            };
            // Without the old key, whose place in the file would stay.
            section.remove(key);
            section.insert(Spanned::new(span.clone(), key.to_owned().into()), self::value(value, span));
        }
        let places = places(&table);
        let config = Self::deserialize(toml::Deserializer::from(table)).map_err(|error| sources.error(&error))?;
        match config.check() {
            None => Ok(config),
            Some((key, what)) => {
                // A key that is missing is missing in its section.
                let section = key.split('.').next().unwrap_or_default();
                let offset = places.get(key).or_else(|| places.get(section)).copied();
                Err(ConfigError { place: sources.origin(offset), what: format!("{key}: {what}") })
            }
        }
    }
}

/// Where the octets of a configuration come from.
struct Sources<'a> {
    text: &'a str,
    variables: &'a [(String, String)],
}

impl Sources<'_> {
    fn origin(&self, offset: Option<usize>) -> Origin {
        let Some(offset) = offset else {
            return Origin::File;
        };
        match offset.checked_sub(self.text.len()).and_then(|index| self.variables.get(index)) {
            Some((name, _)) => Origin::Variable(name.clone()),
            None => {
                let before = self.text.bytes().take(offset);
                Origin::Line(1 + before.filter(|&octet| octet == b'\n').count())
            }
        }
    }

    fn error(&self, error: &toml::de::Error) -> ConfigError {
        let place = self.origin(error.span().map(|span| span.start));
        ConfigError { place, what: error.message().to_owned() }
    }
}

/// Where sections and keys stand, by `section` and `section.key`.
fn places(table: &Spanned<DeTable<'_>>) -> BTreeMap<String, usize> {
    let mut places = BTreeMap::new();
    for (section, value) in table.get_ref() {
        places.insert(section.get_ref().to_string(), section.span().start);
        if let DeValue::Table(keys) = value.get_ref() {
            for key in keys.keys() {
                places.insert(format!("{}.{}", section.get_ref(), key.get_ref()), key.span().start);
            }
        }
    }
    places
}

/// What a variable says, all of it at one place.
fn value(text: &str, span: Range<usize>) -> Spanned<DeValue<'_>> {
    let value = match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(value @ (DeValue::Integer(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::String(_))) => value,
        _ => DeValue::String(text.into()),
    };
    moved(value, span)
}

fn moved(mut value: DeValue<'_>, span: Range<usize>) -> Spanned<DeValue<'_>> {
    if let DeValue::Array(items) = &mut value {
        for item in items.iter_mut() {
            let inner = std::mem::replace(item.get_mut(), DeValue::Boolean(false));
            *item = moved(inner, span.clone());
        }
    }
    Spanned::new(span, value)
}
