//! The rows in a backup: which tables, and how a row is written.

use std::io::{Read, Write};

use super::BackupError;
use super::archive::{Opener, Sealer};

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) columns: &'static [(&'static str, Kind)],
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Integer,
    IntegerOrNull,
    Text,
    Octets,
}

/// A value in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Octets(Vec<u8>),
}

/// A row, with the index of its table in [`TABLES`].
pub(in crate::store) type Row = (usize, Vec<Value>);

use Kind::{Integer, IntegerOrNull, Octets, Text};

/// All tables but those of the schema itself, of the keyring, which is in the header, and of replays, which a restored
/// store does without.
pub(in crate::store) const TABLES: [Table; 7] = [
    Table { name: "clock", columns: &[("id", Integer), ("latest", Integer)] },
    Table {
        name: "sealed_rows",
        columns: &[
            ("collection", Text),
            ("service", Text),
            ("kind", Text),
            ("id", Text),
            ("version", Integer),
            ("sealed", Octets),
        ],
    },
    Table { name: "issues", columns: &[("user_uri", Text), ("period", Integer), ("count", Integer)] },
    Table { name: "delegates", columns: &[("principal", Text), ("user_uri", Text), ("expires", Integer)] },
    Table { name: "blocks", columns: &[("uri", Text)] },
    Table {
        name: "audit",
        columns: &[
            ("server", Text),
            ("sequence", Integer),
            ("time", Integer),
            ("principal", Text),
            ("action", Text),
            ("target", Text),
            ("period", IntegerOrNull),
            ("outcome", Text),
            ("request_id", Text),
            ("mac", Octets),
        ],
    },
    Table {
        name: "audit_heads",
        columns: &[("server", Text), ("sequence", Integer), ("mac", Octets), ("seal", Octets)],
    },
];

/// The octets of a value, at most.
const VALUE_OCTETS: u32 = 64 << 20;

/// Writes a row: the index of its table (1 octet), and of each column the kind (1) and the value, an integer in 8
/// octets, big-endian, and text and octets behind their length in 4 octets, big-endian.
pub(super) fn write(out: &mut Sealer<'_, impl Write>, (table, values): &Row) -> Result<(), BackupError> {
    let mut octets = vec![u8::try_from(*table).map_err(|_| BackupError::Damaged)?];
    for value in values {
        let (kind, text): (u8, &[u8]) = match value {
            Value::Null => {
                octets.push(0);
                continue;
            }
            Value::Integer(number) => {
                octets.push(1);
                octets.extend_from_slice(&number.to_be_bytes());
                continue;
            }
            Value::Text(text) => (2, text.as_bytes()),
            Value::Octets(octets) => (3, octets),
        };
        octets.push(kind);
        let length = u32::try_from(text.len()).ok().filter(|&length| length <= VALUE_OCTETS);
        octets.extend_from_slice(&length.ok_or(BackupError::TooLong)?.to_be_bytes());
        octets.extend_from_slice(text);
    }
    out.write(&octets)
}

/// Reads the next row, if there is one.
pub(super) fn read(from: &mut Opener<'_, impl Read>) -> Result<Option<Row>, BackupError> {
    let mut table = [0];
    if !from.fill(&mut table)? {
        return Ok(None);
    }
    let table = usize::from(table[0]);
    let columns = TABLES.get(table).ok_or(BackupError::Damaged)?.columns;
    let values = columns.iter().map(|&(_, kind)| value(from, kind)).collect::<Result<_, _>>()?;
    Ok(Some((table, values)))
}

fn value(from: &mut Opener<'_, impl Read>, kind: Kind) -> Result<Value, BackupError> {
    match (array::<1>(from)?, kind) {
        ([0], IntegerOrNull) => Ok(Value::Null),
        ([1], Integer | IntegerOrNull) => Ok(Value::Integer(i64::from_be_bytes(array(from)?))),
        ([2], Text) => Ok(Value::Text(String::from_utf8(octets(from)?).map_err(|_| BackupError::Damaged)?)),
        ([3], Octets) => Ok(Value::Octets(octets(from)?)),
        _ => Err(BackupError::Damaged),
    }
}

fn octets(from: &mut Opener<'_, impl Read>) -> Result<Vec<u8>, BackupError> {
    let length = u32::from_be_bytes(array(from)?);
    if length > VALUE_OCTETS {
        return Err(BackupError::Damaged);
    }
    let mut octets = vec![0; length as usize];
    if octets.is_empty() || from.fill(&mut octets)? { Ok(octets) } else { Err(BackupError::Damaged) }
}

fn array<const N: usize>(from: &mut Opener<'_, impl Read>) -> Result<[u8; N], BackupError> {
    let mut octets = [0; N];
    if from.fill(&mut octets)? { Ok(octets) } else { Err(BackupError::Damaged) }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnection;
    use sqlx::{Connection as _, query_as, raw_sql};

    use super::*;

    /// Tables that are not in a backup.
    const OTHERS: [&str; 5] = ["schema", "generation", "keyring", "replays", "replay_hold"];

    #[tokio::test]
    async fn every_table_is_in_a_backup_whole_or_not_at_all() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        raw_sql(include_str!("../sqlite.sql")).execute(&mut connection).await.unwrap();
        let select = "SELECT tables.name, columns.name, columns.type, columns.\"notnull\" FROM sqlite_schema AS tables \
                      JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";
        let found: Vec<(String, String, String, i64)> = query_as(select).fetch_all(&mut connection).await.unwrap();
        let mut found: Vec<_> = found.into_iter().filter(|(table, ..)| !OTHERS.contains(&table.as_str())).collect();
        let kept = TABLES.iter().flat_map(|table| table.columns.iter().map(|column| (table.name, column)));
        for (table, &(column, kind)) in kept {
            let at = found.iter().position(|(name, of, ..)| name == table && of == column);
            let (.., type_name, not_null) = found.swap_remove(at.unwrap_or_else(|| panic!("{table} {column}")));
            let expected = match kind {
                Integer | IntegerOrNull => "INTEGER",
                Text => "TEXT",
                Octets => "BLOB",
            };
            assert_eq!(type_name, expected, "{table} {column}");
            // A key need not say that it is not null.
            assert!(not_null == 1 || kind == IntegerOrNull || column == "id" || column == "uri", "{table} {column}");
        }
        assert_eq!(found, [], "a table or column that backups lose");
    }
}
