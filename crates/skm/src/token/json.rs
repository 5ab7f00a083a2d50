//! JSON in which no object has a member twice, at any depth.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

pub(super) type Object = BTreeMap<String, Value>;

#[derive(Debug)]
pub(super) enum Value {
    /// An integer in digits alone.
    Integer(u64),
    Text(String),
    Array(Vec<Self>),
    Object(Object),
    /// What no token needs: null, booleans and other numbers.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    Form,
    Duplicate,
}

/// Reads one object.
pub(super) fn object(octets: &[u8]) -> Result<Object, JsonError> {
    let twice = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_slice(octets);
    let value = Reader(&twice).deserialize(&mut deserializer);
    if twice.get() {
        return Err(JsonError::Duplicate);
    }
    deserializer.end().map_err(|_| JsonError::Form)?;
    match value {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(JsonError::Form),
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if object.insert(name, value).is_some() {
                self.0.set(true);
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}
