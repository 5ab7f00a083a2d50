//! `skms audit`

use std::process::Stdio;

use serde_json::Value;

use super::Trial;

fn with_three_entries() -> Trial {
    let trial = Trial::new();
    for user in ["sip:a@example.org", "sip:b@example.org", "sip:c@example.org"] {
        trial.run(&["block", user]).done();
    }
    trial
}

#[test]
fn entries_are_listed_for_people_and_for_programs() {
    let trial = with_three_entries();
    let text = trial.run(&["audit", "list"]).done();
    let json = trial.run(&["audit", "list", "--json"]).done();
    let entries: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((text.lines().count(), entries.len()), (3, 3));
    for (number, (line, entry)) in (1..).zip(text.lines().zip(&entries)) {
        assert_eq!(entry["sequence"], number);
        assert_eq!(entry["principal"], "operator");
        assert_eq!((&entry["action"], &entry["outcome"]), (&"block".into(), &"done".into()));
        assert_eq!(entry["period"], Value::Null);
        assert!(entry["time"].is_u64());
        assert!(line.starts_with(&format!("{number} ")), "{line}");
        assert!(line.contains(entry["target"].as_str().unwrap()), "{line}");
        assert!(line.contains(entry["request_id"].as_str().unwrap()), "{line}");
    }
    let verified = trial.run(&["audit", "verify"]).done();
    assert!(verified.contains("3 entries") && verified.contains(entries[2]["mac"].as_str().unwrap()), "{verified}");
}

#[test]
fn an_empty_log_is_whole() {
    let trial = Trial::new();
    assert_eq!(trial.run(&["audit", "list"]).done(), "");
    assert!(trial.run(&["audit", "verify"]).done().contains("no entries yet"));
}

#[tokio::test]
async fn what_was_changed_removed_or_cut_off_is_found() {
    for (statement, says) in [
        ("UPDATE audit SET target = 'sip:d@example.org' WHERE sequence = 2", "entry 2 was changed"),
        ("DELETE FROM audit WHERE sequence = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE sequence = 3", "entry 3 is missing"),
        ("DELETE FROM audit; DELETE FROM audit_heads", ""),
    ] {
        let trial = with_three_entries();
        trial.tamper(statement).await;
        if says.is_empty() {
            // A log that is gone as a whole is an empty one: the report of an earlier time tells.
            assert!(trial.run(&["audit", "verify"]).done().contains("no entries yet"));
            continue;
        }
        trial.run(&["audit", "verify"]).fails(1, &["audit log of sip:skms.example.org", says, "backup"]);
    }
}

#[tokio::test]
async fn what_stands_in_the_database_is_no_command_to_the_terminal() {
    let trial = with_three_entries();
    trial.tamper("UPDATE audit SET target = char(27) || '[2J' || char(10) || '9 done' WHERE sequence = 2").await;
    let text = trial.run(&["audit", "list"]).done();
    assert!(!text.contains('\u{1b}') && text.lines().count() == 3, "{text:?}");
}

#[test]
fn whoever_reads_the_first_lines_alone_is_no_failure() {
    let trial = with_three_entries();
    let mut child = trial.command(&["audit", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
