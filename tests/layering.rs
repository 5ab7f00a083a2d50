//! The engine's modules import downwards only, and `unsafe` stands in the backend alone.
//!
//! The check reads the source as text: comments, strings and characters are skipped, and every `crate::` path is
//! taken as an import, tests included. A `super::` path counts where it climbs to the crate root. A re-export at the
//! root is refused too, as it would hide the module that it comes from.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Modules that all others may use, and that use each other alone.
const BASE: &[&str] = &["error", "time"];

/// Each module with the modules that it may use besides [`BASE`], from the bottom up: a line names lines above it.
const LAYERS: &[(&str, &[&str])] = &[
    ("backend", &[]),
    ("secret", &["backend"]),
    ("random", &["secret"]),
    ("field", &["backend", "secret"]),
    ("group", &["backend", "secret", "field"]),
    ("ts33220", &["secret"]),
    ("identity", &["secret", "ts33220"]),
    ("eccsi", &["backend", "secret", "random", "field", "group", "identity"]),
    ("sakke", &["backend", "secret", "random", "field", "group", "identity"]),
    ("kms", &["backend", "secret", "field", "group", "identity", "eccsi", "sakke"]),
    ("documents", &["secret", "identity", "eccsi", "sakke", "kms"]),
    ("mikey", &["secret"]),
    (
        "imessage",
        &["backend", "secret", "random", "field", "group", "ts33220", "identity", "eccsi", "sakke", "kms", "mikey"],
    ),
    (
        "km",
        &["backend", "secret", "field", "group", "ts33220", "identity", "eccsi", "sakke", "kms", "mikey", "imessage"],
    ),
];

/// Modules that may use every other and that no other may use.
const TOP: &[&str] = &["lib", "hazmat", "misuse"];

/// The big-integer oracle, compiled for tests alone, which any module's tests may use.
const ORACLE: &str = "oracle";

/// The module that may contain `unsafe`.
const UNSAFE: &str = "backend";

/// Whether `module` may name `used` after `crate::`.
fn allowed(module: &str, used: &str) -> bool {
    let layer = |name: &str| LAYERS.iter().find(|(layer, _)| *layer == name);
    let known = |name: &str| BASE.contains(&name) || layer(name).is_some();
    if module == used || used == ORACLE {
        return true;
    }
    if TOP.contains(&module) {
        return known(used) || TOP.contains(&used);
    }
    BASE.contains(&used) && known(module) || layer(module).is_some_and(|(_, below)| below.contains(&used))
}

/// The identifiers, `::` and single characters of Rust source; comments, literals and lifetimes are left out.
fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = literal(rest).or_else(|| comment(rest));
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        rest = if let Some(length) = length {
            &rest[length..]
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            &rest[word..]
        } else if let Some(after) = rest.strip_prefix("::") {
            tokens.push("::".to_owned());
            after
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            &rest[first.len_utf8()..]
        };
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The octets of the comment that `source` starts with; block comments nest.
fn comment(source: &str) -> Option<usize> {
    if source.starts_with("//") {
        return Some(source.find('\n').unwrap_or(source.len()));
    }
    let mut depth = 0;
    let mut at = 0;
    while source.starts_with("/*") && at < source.len() {
        if source[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if source[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += source[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    (at > 0).then_some(at)
}

/// The octets of the string, character or lifetime that `source` starts with, or of the prefix of a raw identifier.
fn literal(source: &str) -> Option<usize> {
    let word = source.find(|c: char| !is_word(c)).unwrap_or(source.len());
    let (prefix, rest) = source.split_at(word);
    if !matches!(prefix, "" | "b" | "c" | "r" | "br" | "cr") {
        return None;
    }
    if prefix.ends_with('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if !rest[hashes..].starts_with('"') {
            return (prefix == "r" && hashes == 1).then_some(word + hashes);
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let body = word + hashes + 1;
        return Some(source[body..].find(&close).map_or(source.len(), |at| body + at + close.len()));
    }
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' && !rest[1..].starts_with('\\') {
        let mut after = rest[1..].char_indices().skip(1);
        if after.next().is_none_or(|(_, c)| c != '\'') {
            return Some(word + 1 + rest[1..].find(|c: char| !is_word(c)).unwrap_or(rest.len() - 1));
        }
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(word + at + 1),
            _ => {}
        }
    }
    Some(source.len())
}

/// The modules from the crate root to the file: `sakke/hash.rs` is sakke, hash; `lib.rs` is the root itself.
fn module_path(file: &str) -> Vec<&str> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    path.split('/').filter(|name| *name != "lib").collect()
}

/// The first names of what follows `crate::`: one name, or those in a pair of braces.
fn first_names(tokens: &[String]) -> Vec<&str> {
    if tokens.first().is_none_or(|token| token != "{") {
        return tokens.first().map(String::as_str).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0;
    let mut expected = false;
    for token in tokens {
        match token.as_str() {
            "{" => {
                depth += 1;
                expected = depth == 1;
            }
            "}" => depth -= 1,
            "," => expected = depth == 1,
            name if expected => {
                names.push(name);
                expected = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// The names that a file takes from the crate root.
fn imports(file: &str, tokens: &[String]) -> BTreeSet<String> {
    let depth = module_path(file).len();
    let mut braces = 0;
    // The depth of braces at which each inline module that is open began.
    let mut inline = Vec::new();
    let mut found = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(at + ahead).map_or("", String::as_str);
        let after = |ahead: usize| &tokens[tokens.len().min(at + ahead)..];
        let continues = at >= 2 && tokens[at - 1] == "::" && tokens[at - 2] == "super";
        match token.as_str() {
            "mod" if next(2) == "{" => inline.push(braces),
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
            }
            "crate" if next(1) == "::" => found.extend(first_names(after(2)).into_iter().map(str::to_owned)),
            // The root under another name, as in `use crate as engine` or `extern crate self as engine`.
            "crate" if matches!(next(1), "as" | "self") => {
                found.insert("crate".to_owned());
            }
            "super" if !continues => {
                let mut climbs = 1;
                while next(2 * climbs - 1) == "::" && next(2 * climbs) == "super" {
                    climbs += 1;
                }
                let names = if next(2 * climbs - 1) == "::" { first_names(after(2 * climbs)) } else { Vec::new() };
                // A climb that goes on inside braces, or under another name, is not followed but reported.
                if names.contains(&"super") || next(2 * climbs - 1) == "as" {
                    found.insert("super".to_owned());
                }
                if climbs >= depth + inline.len() {
                    found.extend(names.into_iter().map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    found
}

/// What a file, named by its path below `src`, does against the rules.
fn violations(file: &str, source: &str) -> Vec<String> {
    let path = module_path(file);
    let module = path.first().copied().unwrap_or("lib");
    let tokens = tokens(source);
    let mut violations = Vec::new();
    if !TOP.contains(&module) && !BASE.contains(&module) && LAYERS.iter().all(|(name, _)| *name != module) {
        violations.push(format!("{file}: the module {module} has no layer"));
    }
    for used in imports(file, &tokens) {
        if !allowed(module, &used) {
            violations.push(format!("{file}: {module} may not use crate::{used}"));
        }
    }
    if module != UNSAFE && tokens.iter().any(|token| token == "unsafe") {
        violations.push(format!("{file}: unsafe outside {UNSAFE}"));
    }
    violations
}

/// Every Rust file below `folder`, as its path from there and its text.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(open) = folders.pop() {
        for entry in fs::read_dir(open).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name: Vec<_> =
                    path.strip_prefix(folder).unwrap().iter().map(|part| part.to_string_lossy()).collect();
                found.push((name.join("/"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn modules_import_downwards_only() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.iter().any(|(file, _)| file == "lib.rs"), "the source was not found");
    let violations: Vec<_> = sources.iter().flat_map(|(file, source)| violations(file, source)).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn the_table_goes_one_way() {
    for (line, (module, below)) in LAYERS.iter().enumerate() {
        for used in *below {
            assert!(LAYERS[..line].iter().any(|(above, _)| above == used), "{module} uses {used}");
        }
    }
    assert!(!allowed("mikey", "sakke") && !allowed("sakke", "mikey") && !allowed("eccsi", "sakke"));
    assert!(!allowed("imessage", "hazmat") && allowed("hazmat", "sakke") && !allowed("error", "sakke"));
}

#[test]
fn a_planted_violation_is_found() {
    let planted = [
        ("field/fp.rs", "use crate::group::Pf;"),
        ("sakke.rs", "fn f() { crate :: mikey::Message::new() }"),
        ("sakke/hash.rs", "use crate::{error::Error, eccsi::{self, Ksak}};"),
        ("mikey/payload/sakke.rs", "use crate::{\n    error::{DecodeError, Error},\n    sakke::Encapsulated,\n};"),
        ("mikey.rs", "use super::kms::Kms;"),
        ("mikey/payload/sign.rs", "use super::super::super::eccsi::Signature;"),
        ("mikey.rs", "mod tests { use super::super::field::Fp; }"),
        ("mikey.rs", "mod inner { fn f() { if true {} } } use super::field::Fp;"),
        ("mikey.rs", "use self::super::group;"),
        ("sakke/hash.rs", "use super::{Ssv, super::mikey};"),
        ("sakke/hash.rs", "use super::super as root;"),
        ("sakke/hash.rs", "use self::super::super::mikey;"),
        ("kms.rs", "use crate::hazmat;"),
        ("error.rs", "use crate::mikey::Message;"),
        ("identity.rs", "use crate::*;"),
        ("identity.rs", "use crate::Kms;"),
        ("identity.rs", "use crate as engine;"),
        ("identity.rs", "extern crate self as engine;"),
        ("eccsi.rs", "const C: char = '\"'; use crate::kms; const D: char = '\"';"),
        ("eccsi.rs", "fn f<'a>(x: &'a str) -> char { '\\'' } use crate::sakke; // '"),
        ("eccsi.rs", "const S: &str = r#\"\"\"#; use crate::sakke;"),
        ("eccsi.rs", "/* /* */ */ use crate::sakke;"),
        ("group/p256.rs", "fn f() { unsafe { g() } }"),
        ("lib.rs", "#[unsafe(no_mangle)] fn f() {}"),
        ("novel.rs", ""),
    ];
    for (file, source) in planted {
        assert_eq!(violations(file, source).len(), 1, "{file}: {source}: {:?}", violations(file, source));
    }
}

#[test]
fn what_is_permitted_passes() {
    let permitted = [
        ("field.rs", "use crate::backend::portable::Words; use crate::secret::Secret;"),
        ("kms.rs", "use crate::{eccsi::Ksak, identity::{Uid, Uri}, sakke::{self, Rsk}, time::Timestamp};"),
        ("sakke/hash.rs", "use super::Ssv; mod tests { use super::*; use super::super::Rsk; }"),
        ("sakke.rs", "pub(crate) fn f() {} mod tests { use super::*; mod inner { use super::super::Rsk; } }"),
        (
            "mikey.rs",
            "//! See [`crate::sakke`].\n/* unsafe crate::sakke */ const S: &str = \"crate::sakke \\\" unsafe\";",
        ),
        ("mikey.rs", "const S: &str = r##\"crate::sakke \"# unsafe\"##; const B: &[u8] = b\"crate::sakke\";"),
        ("mikey.rs", "#![deny(unsafe_code)] fn f(r#mod: u8, super_: u8) {}"),
        ("sakke.rs", "pub(super) fn f() {} pub(in super) fn g() {} pub(crate) fn h() {}"),
        ("backend/ifma.rs", "fn f() { unsafe { g() } }"),
        ("hazmat.rs", "use crate::{field::Fp, sakke::hash};"),
        ("lib.rs", "pub use crate::kms::Kms; pub mod hazmat;"),
        ("error.rs", "use crate::time::Timestamp;"),
    ];
    for (file, source) in permitted {
        assert_eq!(violations(file, source), Vec::<String>::new(), "{file}: {source}");
    }
}
