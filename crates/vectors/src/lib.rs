//! Runs test vectors of the schema `mikey-sakke-vectors-v1`, described in `test-vectors/README.md`.
//!
//! Every operation is a call of the engine's public or `hazmat` functions: there is no cryptography here.

mod operations;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use operations::Operation;

/// The schema that files declare.
pub const SCHEMA: &str = "mikey-sakke-vectors-v1";

/// The outcome of a file.
#[derive(Debug, Default)]
pub struct Report {
    /// How many tests passed.
    pub passed: usize,
    /// The tests that did not, in the order of the file.
    pub failures: Vec<Failure>,
}

/// A test that failed.
#[derive(Debug)]
pub struct Failure {
    /// The `type` of its group.
    pub group: String,
    /// Its `tcId`.
    pub tc_id: String,
    /// Its `comment`.
    pub comment: String,
    /// What went wrong.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tcId {}", self.group, self.tc_id)?;
        if !self.comment.is_empty() {
            write!(f, " ({})", self.comment)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Runs all tests of a file, given as its text.
///
/// # Errors
///
/// Says what is wrong if the text is not a file of the schema.
pub fn run(json: &str) -> Result<Report, String> {
    let file: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    if file.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        return Err(format!("not a vector file: \"schema\" is not \"{SCHEMA}\""));
    }
    let groups = file.get("testGroups").and_then(Value::as_array).ok_or("\"testGroups\" is missing")?;
    let mut report = Report::default();
    for group in groups {
        let kind = group.get("type").and_then(Value::as_str).unwrap_or_default();
        let tests = group.get("tests").and_then(Value::as_array).ok_or("a group has no \"tests\"")?;
        for test in tests {
            match run_test(kind, group, test) {
                Ok(()) => report.passed += 1,
                Err(reason) => report.failures.push(Failure {
                    group: kind.to_owned(),
                    tc_id: test.get("tcId").map(Value::to_string).unwrap_or_default(),
                    comment: test.get("comment").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    reason,
                }),
            }
        }
    }
    Ok(report)
}

fn run_test(kind: &str, group: &Value, test: &Value) -> Result<(), String> {
    let operation = Operation::named(kind).ok_or("unknown type")?;
    if group.get("parameterSet").is_some_and(|set| *set != 1) {
        return Err("unknown parameter set".to_owned());
    }
    let test = test.as_object().ok_or("not an object")?;
    let outcome = operation.run(&Inputs(test));
    match (test.get("result").and_then(Value::as_str), outcome) {
        (Some("valid"), Ok(outputs)) => compare(operation.outputs, test, &outputs),
        (Some("valid"), Err(Stop::Refused(error))) => Err(format!("valid, but refused: {error}")),
        (Some("invalid"), Err(Stop::Refused(_))) => Ok(()),
        (Some("invalid"), Ok(_)) => Err("invalid, but accepted".to_owned()),
        (_, Err(Stop::Vector(problem))) => Err(problem),
        _ => Err("\"result\" is neither \"valid\" nor \"invalid\"".to_owned()),
    }
}

/// Every output that the test states has to be there, and the same.
fn compare(names: &[&str], test: &Map<String, Value>, outputs: &Outputs) -> Result<(), String> {
    for name in names.iter().filter(|name| test.contains_key(**name)) {
        let expected = Inputs(test).octets(name).map_err(|stop| stop.to_string())?;
        match outputs.get(name) {
            None => return Err(format!("{name} was not produced")),
            Some(octets) if *octets != expected => {
                return Err(format!("{name} is {}, expected {}", hex::encode(octets), hex::encode(expected)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// What an operation computed, by the names of the schema.
type Outputs = BTreeMap<&'static str, Vec<u8>>;

/// Why an operation has no result.
enum Stop {
    /// The engine refused the input.
    Refused(String),
    /// The vector itself is at fault.
    Vector(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) | Self::Vector(reason) => f.write_str(reason),
        }
    }
}

impl<E: Into<mikey_sakke::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Refused(error.into().to_string())
    }
}

/// The members of a test.
struct Inputs<'a>(&'a Map<String, Value>);

impl Inputs<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Result<&str, Stop> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or_else(|| Stop::Vector(format!("{name} is missing, or no text")))
    }

    fn octets(&self, name: &str) -> Result<Vec<u8>, Stop> {
        hex::decode(self.text(name)?).map_err(|error| Stop::Vector(format!("{name} is not hexadecimal: {error}")))
    }

    fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], Stop> {
        let octets = self.octets(name)?;
        let length = octets.len();
        octets.try_into().map_err(|_| Stop::Refused(format!("{name} has {length} octets, not {N}")))
    }

    fn integer<T: TryFrom<u64>>(&self, name: &str) -> Result<T, Stop> {
        let integer = self.0.get(name).and_then(Value::as_u64).and_then(|integer| T::try_from(integer).ok());
        integer.ok_or_else(|| Stop::Vector(format!("{name} is missing, or no integer in range")))
    }
}
