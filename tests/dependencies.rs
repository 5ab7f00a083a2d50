//! Every direct dependency of the workspace is on record in docs/dependencies.md, and nothing else is.
//!
//! The check reads manifests and tables line by line: a dependency is a line `name = ...` of a section of dependencies,
//! and on record when it stands in back quotes in the first cell of a row under the heading of its package.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What stands between `before` and the next double quote, each time.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

/// The manifests of the workspace.
fn manifests() -> Vec<String> {
    let root = read("Cargo.toml");
    let members = root.lines().find(|line| line.starts_with("members = ")).unwrap();
    let others = quoted(members, "\"crates/").into_iter().map(|name| read(&format!("crates/{name}/Cargo.toml")));
    let manifests: Vec<String> = others.chain([root.clone()]).collect();
    assert_eq!(manifests.len(), members.matches('"').count() / 2 + 1, "a member outside crates/");
    manifests
}

/// The name of the package, and the dependencies that are not of the workspace itself.
fn declared(manifest: &str) -> (String, BTreeSet<String>) {
    let mut section = "";
    let mut dependencies = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            assert!(!section.contains("dependencies."), "{section}: a dependency takes one line");
        } else if section.ends_with("dependencies") && !line.contains("path = ") {
            dependencies.extend(line.split_once(" = ").map(|(name, _)| name.to_owned()));
        }
    }
    (quoted(manifest, "\nname = \"")[0].to_owned(), dependencies)
}

/// The rows of each heading.
fn recorded(record: &str) -> BTreeMap<String, BTreeSet<String>> {
    let sections = record.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap());
    let names = |rows: &str| {
        let rows = rows.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.flat_map(|row| row.split('|').next().unwrap().split(['`', ',', ' ']))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    sections.map(|(name, rows)| (name.to_owned(), names(rows))).collect()
}

#[test]
fn every_direct_dependency_is_on_record() {
    let declared: BTreeMap<_, _> = manifests().iter().map(|manifest| declared(manifest)).collect();
    assert!(declared["mikey-sakke"].contains("criterion"), "sections for some targets count");
    assert_eq!(recorded(&read("docs/dependencies.md")), declared);
}
