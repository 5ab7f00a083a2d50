//! That docs/requirements.md, the tests and the list of mutations speak of the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of the form `r20_…` in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name =
        |word: &&str| word.strip_prefix('r').and_then(|rest| rest.split_once('_')).is_some_and(|(n, _)| number(n));
    words.filter(is_name).map(str::to_owned).collect()
}

fn number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// The names of all tests of this program.
fn tests() -> BTreeSet<String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requirements")).unwrap();
    let sources = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let functions = sources.flat_map(|source| {
        source.split("fn ").map(|rest| rest.split('(').next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    functions.flat_map(|name| names(&name)).collect()
}

#[test]
fn each_requirement_has_a_row_and_each_test_stands_in_one() {
    let document = read("../../docs/requirements.md");
    for number in 1..=50 {
        assert!(document.contains(&format!("\n| R{number} |")), "R{number}");
    }
    assert_eq!(names(&document), tests());
}

#[test]
fn each_requirement_with_tests_has_a_mutation() {
    let requirement = |name: &String| name.split('_').next().unwrap().to_owned();
    let mutated: BTreeSet<String> = names(&read("tests/mutations/list")).iter().map(requirement).collect();
    let tested: BTreeSet<String> = tests().iter().map(requirement).collect();
    assert_eq!(mutated, tested);
    assert!(names(&read("tests/mutations/list")).is_subset(&tests()));
}
