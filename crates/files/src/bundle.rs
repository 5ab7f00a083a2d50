//! A key with its SK-ID and RAND.

use std::path::Path;

use anyhow::Context;
use mikey_sakke::imessage::{KeyBundle, Profile, SkId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fields::{array, secret};
use crate::file::{Access, in_file, read, to_json, write};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BundleFile {
    #[serde(rename = "SkId")]
    id: String,
    rand: String,
    key: Zeroizing<String>,
}

/// Reads a key for the purpose of a profile.
///
/// # Errors
///
/// The file cannot be read, is malformed, or holds a key for another purpose.
pub fn read_bundle(path: &Path, profile: Profile) -> anyhow::Result<KeyBundle> {
    let file: BundleFile = read(path)?;
    let bundle = || -> anyhow::Result<KeyBundle> {
        let id = SkId::from_octets(array("SkId", &file.id)?);
        KeyBundle::new(profile, secret("Key", &file.key)?, id, array("Rand", &file.rand)?).with_context(|| {
            format!("key {id} is of purpose {}; pass the --profile, or the --purpose, that it is for", id.purpose())
        })
    };
    bundle().with_context(|| in_file(path))
}

/// Writes a key for its owner alone.
///
/// # Errors
///
/// Those of [`write()`].
pub fn write_bundle(path: &Path, force: bool, id: SkId, rand: &[u8], key: &[u8]) -> anyhow::Result<()> {
    let file = BundleFile { id: id.to_string(), rand: hex::encode(rand), key: hex::encode(key).into() };
    write(path, Access::Owner, force, to_json(&file)?.as_bytes())
}
