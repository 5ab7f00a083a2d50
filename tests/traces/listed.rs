//! The public types that hold secrets, found in the source: none can be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What holds a secret by itself.
const HOLDERS: [&str; 2] = ["Secret", "Zeroizing"];

/// Every public struct, enum and alias in which a secret is, or another one of them: `module::Name`, by the top module.
pub(crate) fn holders_of_secrets() -> BTreeSet<String> {
    let types = public_types();
    let mut holders = BTreeSet::new();
    loop {
        let is_holder = |module: &str, word: &str| {
            let own = format!("{module}::{word}");
            // A name is that of the own module, where there is one.
            let found = if types.contains_key(&own) {
                holders.contains(&own)
            } else {
                holders.iter().any(|holder: &String| holder.ends_with(&format!("::{word}")))
            };
            HOLDERS.contains(&word) || found
        };
        let more: Vec<String> = types
            .iter()
            .filter(|(name, words)| {
                let module = name.split("::").next().unwrap_or_default();
                !holders.contains(*name) && words.iter().any(|word| is_holder(module, word))
            })
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return holders;
        }
        holders.extend(more);
    }
}

/// The words in the definition of each public type, errors left out, which name types and hold none.
fn public_types() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut types = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let module = relative.iter().next().unwrap().to_str().unwrap().to_owned();
            if module != "error" {
                for (name, words) in definitions(&fs::read_to_string(&path).unwrap()) {
                    if !name.ends_with("Error") && !name.ends_with("ErrorKind") {
                        types.entry(format!("{module}::{name}")).or_insert_with(BTreeSet::new).extend(words);
                    }
                }
            }
        }
    }
    types
}

/// The public types that a source defines, and the words of each definition.
fn definitions(source: &str) -> Vec<(String, BTreeSet<String>)> {
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for kind in ["pub struct ", "pub enum ", "pub type "] {
        for (at, _) in code.match_indices(kind) {
            let rest = &code[at + kind.len()..];
            let mut depth = 0;
            let end = rest.find(|c| {
                depth += match c {
                    '{' | '(' | '[' => 1,
                    '}' | ')' | ']' => -1,
                    _ => 0,
                };
                depth == 0 && matches!(c, ';' | '}')
            });
            let definition = &rest[..end.unwrap_or(rest.len())];
            let mut words =
                definition.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            let name = words.next().unwrap_or_default().to_owned();
            found.push((name, words.map(str::to_owned).collect()));
        }
    }
    found
}

#[test]
fn types_with_secrets_are_found() {
    let found = holders_of_secrets();
    for name in ["sakke::Rsk", "eccsi::Ksak", "kms::UserKeys", "documents::Document", "km::Record"] {
        assert!(found.contains(name), "{name} in {found:?}");
    }
    for name in ["sakke::PublicKey", "kms::KmsCertificate", "mikey::Message", "identity::Uri"] {
        assert!(!found.contains(name), "{name}");
    }
    let source = "pub struct A { a: u8, b: Option<Secret<[u8; 4]>> }\n// pub struct B;\npub(crate) struct C;\npub enum D { E(A) }";
    let names: Vec<_> = definitions(source).into_iter().map(|(name, words)| (name, words.contains("Secret"))).collect();
    assert_eq!(names, [("A".to_owned(), true), ("D".to_owned(), false)]);
}
