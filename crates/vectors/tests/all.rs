//! Every file in `test-vectors/` passes under every backend, and the runner notices what does not.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use mikey_sakke::hazmat::backend::{Backend, select};
use mikey_sakke_vectors::run;

/// The choice of the backend counts for the whole process, so one test takes them in turn.
#[test]
fn every_vector_passes_under_every_backend() {
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
        select(backend).unwrap();
        println!("{backend}: {} vectors passed", count_passed(backend));
    }
}

fn count_passed(backend: Backend) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors");
    let mut tests = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let report = run(&fs::read_to_string(&path).unwrap()).unwrap();
            for failure in &report.failures {
                eprintln!("{backend}: {}: {failure}", path.display());
            }
            assert!(report.failures.is_empty(), "{backend}: {}", path.display());
            tests += report.passed;
        }
    }
    assert!(tests >= 575, "only {tests} vectors were found");
    tests
}

/// A file with one group of one test.
fn file(kind: &str, test: &str) -> String {
    format!(
        r#"{{"schema":"mikey-sakke-vectors-v1","testGroups":[{{"type":"{kind}","tests":[{{"tcId":7,"comment":"x",{test}}}]}}]}}"#
    )
}

fn reason(kind: &str, test: &str) -> String {
    let report = run(&file(kind, test)).unwrap();
    assert_eq!((report.passed, report.failures.len()), (0, 1));
    report.failures[0].to_string()
}

#[test]
fn failing_tests_are_reported() {
    let uid = r#""uri":"tel:+1","month":"2011-02""#;
    let wrong = format!(r#"{uid},"uid":"00","result":"valid""#);
    assert!(reason("UidMonthly", &wrong).starts_with("UidMonthly tcId 7 (x): uid is 323031312d3032"));
    assert!(reason("UidMonthly", &format!(r#"{uid},"result":"invalid""#)).ends_with("invalid, but accepted"));
    assert!(reason("UidMonthly", r#""uri":"sip:a@b.c","month":"2011-02","result":"valid""#).contains("but refused"));
    assert!(reason("UidMonthly", r#""uri":"tel:+1","result":"valid""#).ends_with("month is missing, or no text"));
    assert!(reason("UidMonthly", &format!(r#"{uid},"result":"acceptable""#)).contains("neither"));
    assert!(reason("Unknown", r#""result":"invalid""#).ends_with("unknown type"));
}

#[test]
fn an_expected_output_that_is_not_produced_fails() {
    let keys = r#""key":"00000000000000000000000000000000","keyId":"00000000","rand":"","csId":0"#;
    let without_user = format!(r#"{keys},"gukId":"00000000","result":"valid""#);
    assert!(reason("SrtpKeys", &without_user).ends_with("gukId was not produced"));
}

#[test]
fn other_files_are_refused() {
    assert!(run("{").unwrap_err().starts_with("not JSON"));
    assert!(run("[]").unwrap_err().contains("schema"));
    assert!(run(r#"{"schema":"mikey-sakke-vectors-v1"}"#).unwrap_err().contains("testGroups"));
}
