//! A key in the environment, read by the only thread of a process: without the harness, which has threads.

use std::process::{Command, ExitCode};

use skm::seal::{KeyError, KeySource, SALT_OCTETS, SealKey};

const NAME: &str = "SKM_TEST_KEY";

fn main() -> ExitCode {
    let key = "ab".repeat(32);
    match std::env::var_os(NAME) {
        // Who lists the tests runs none.
        None if std::env::args().any(|argument| argument == "--list") => ExitCode::SUCCESS,
        None => {
            let mut child = Command::new(std::env::current_exe().expect("the name of this program"));
            let status = child.env(NAME, key).status().expect("this program runs once more");
            ExitCode::from(u8::from(!status.success()))
        }
        Some(_) => {
            let source = KeySource::Variable(NAME.into());
            let found = source.read().expect("the key").open(&[0; SALT_OCTETS]).expect("a key");
            assert_eq!(found.id(), SealKey::new(&[0xab; 32]).id());
            assert!(std::env::var_os(NAME).is_none(), "unset once it is read");
            assert!(matches!(source.read(), Err(KeyError::Variable(..))));
            ExitCode::SUCCESS
        }
    }
}
