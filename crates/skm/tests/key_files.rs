//! Keys and passphrases in files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use skm::seal::{KeyError, KeySource, SALT_OCTETS};
use tempfile::TempDir;

const KEY: &str = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";

fn file(directory: &Path, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
    let path = directory.join("key");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_file_of_its_owner_is_read() {
    let directory = TempDir::new().unwrap();
    let id = |text: &str| {
        let source = KeySource::File(file(directory.path(), text, 0o600));
        source.read().unwrap().open(&[0; SALT_OCTETS]).unwrap().id()
    };
    assert_eq!(id(KEY), id(&format!("{KEY}\n")));
    assert_eq!(id(KEY), id(&format!("{KEY}\r\n")));
    assert_ne!(id(KEY), id(&"0".repeat(64)));
}

#[test]
fn a_file_open_to_others_is_refused() {
    let directory = TempDir::new().unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o601, 0o644, 0o660] {
        let path = file(directory.path(), KEY, mode);
        for source in [KeySource::File(path.clone()), KeySource::Passphrase(path)] {
            let error = source.read().unwrap_err();
            assert!(matches!(error, KeyError::Access(_, found) if found == mode), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
    // A link does not help.
    let path = file(directory.path(), KEY, 0o644);
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(path, &link).unwrap();
    assert!(matches!(KeySource::File(link).read(), Err(KeyError::Access(..))));
}

#[test]
fn other_contents_are_refused_and_not_repeated() {
    let directory = TempDir::new().unwrap();
    let (long, twice, space) = (format!("{KEY}00"), format!("{KEY}\n\n"), format!(" {KEY}"));
    for text in ["", &KEY[1..], &long, &twice, &space, &KEY.replace('f', "g")] {
        let error = KeySource::File(file(directory.path(), text, 0o600)).read().unwrap_err();
        assert!(matches!(error, KeyError::Content(..)), "{text:?}: {error}");
        assert!(!error.to_string().contains("0123456789"));
    }
    let longest = "x".repeat(4096);
    let too_long = format!("{longest}x");
    assert!(KeySource::Passphrase(file(directory.path(), format!("{longest}\r\n"), 0o600)).read().is_ok());
    for text in ["", "elevenchars", "two lines\nof text", "with a \u{7} bell", &too_long] {
        let error = KeySource::Passphrase(file(directory.path(), text, 0o600)).read().unwrap_err();
        assert!(matches!(error, KeyError::Content(..)), "{text:?}: {error}");
    }
    assert!(matches!(KeySource::File(file(directory.path(), [0xff; 32], 0o600)).read(), Err(KeyError::Io(..))));
    assert!(matches!(KeySource::File(directory.path().into()).read(), Err(KeyError::NotAFile(_))));
    assert!(matches!(KeySource::File(directory.path().join("none")).read(), Err(KeyError::Io(..))));
}

#[test]
fn a_variable_is_not_unset_while_there_are_threads() {
    // Each test runs on a thread of its own. PATH is set everywhere.
    let error = KeySource::Variable("PATH".into()).read().unwrap_err();
    assert!(matches!(error, KeyError::Threads(_)), "{error}");
    assert!(std::env::var_os("PATH").is_some());
    assert!(matches!(KeySource::Variable("SKM_NO_SUCH_VARIABLE".into()).read(), Err(KeyError::Variable(..))));
}
