//! Where a store is.

use super::StoreError;

/// The databases there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub(super) fn of(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':') {
            Some(("sqlite", _)) => Ok(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres),
            _ => Err(StoreError::Url),
        }
    }
}

/// The URL of a store to be shown: without password and parameters.
pub fn shown(url: &str) -> String {
    let without_parameters = url.split('?').next().unwrap_or_default();
    match without_parameters.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((user, host)) => format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or_default()),
            None => without_parameters.to_owned(),
        },
        None => without_parameters.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let cases = [
            ("sqlite:/var/lib/skms/skms.db", "sqlite:/var/lib/skms/skms.db"),
            ("postgres://db.example.org/skm", "postgres://db.example.org/skm"),
            ("postgres://skms@db.example.org/skm", "postgres://skms@db.example.org/skm"),
            ("postgres://skms:secret@db.example.org:5432/skm", "postgres://skms@db.example.org:5432/skm"),
            ("postgres://skms:se@cr:et@db.example.org/skm", "postgres://skms@db.example.org/skm"),
            ("postgres://db.example.org/skm?user=skms&password=secret", "postgres://db.example.org/skm"),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(url), expected);
        }
    }
}
