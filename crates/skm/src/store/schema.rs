//! Versions of the schema.
//!
//! A program is made for one version, and works with a later one that says so: the servers of an installation can be
//! replaced one by one, and the schema before them.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::StoreError;

/// The version that this program was made for, and the number of the last migration.
pub(super) const VERSION: i64 = 1;

/// What a schema says of itself: its version, and that of the oldest program that works with it.
pub(super) type Columns = (i64, i64);

/// Whether this program works with a schema; none if there is no schema.
///
/// # Errors
///
/// [`StoreError::TooOld`] or [`StoreError::TooNew`].
pub(super) const fn check(found: Option<Columns>) -> Result<(), StoreError> {
    match found {
        Some((_, oldest)) if oldest > VERSION => Err(StoreError::TooNew),
        Some((version, _)) if version >= VERSION => Ok(()),
        _ => Err(StoreError::TooOld),
    }
}

/// What brings a schema that is too old up to date, and leaves a newer one as it is.
///
/// # Errors
///
/// [`StoreError::TooNew`].
pub(super) fn migrator(found: Option<Columns>, initial: &'static str) -> Result<Migrator, StoreError> {
    if let Err(error @ StoreError::TooNew) = check(found) {
        return Err(error);
    }
    let initial =
        Migration::new(VERSION, Cow::Borrowed("schema"), MigrationType::Simple, initial.into_sql_str(), false);
    let mut migrator = Migrator::with_migrations(vec![initial]);
    migrator.set_ignore_missing(true);
    Ok(migrator)
}
