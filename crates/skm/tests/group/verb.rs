//! `skms group distribute`, against the server of a trial.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mikey_sakke::time::Timestamp;
use mikey_sakke_files::write_kms;
use serde_json::Value;
use skm::group::State;
use skm::seal::SealKey;
use tempfile::TempDir;

use crate::support::{FLEET, House, MANAGER, SEAL, group, id_and_rand, kms, members};

/// How long a test waits for what should happen at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run of the program leaves.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    #[track_caller]
    fn ends(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in says {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?} is not in {self:?}");
        }
    }
}

fn run(mut command: Command) -> Run {
    let output = command.output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn skms() -> Command {
    Command::new(env!("CARGO_BIN_EXE_skms"))
}

/// A trial whose server runs, and a house of the same domain, for its members.
struct Trial {
    directory: TempDir,
    house: House,
    url: String,
    server: Child,
}

impl Trial {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let verb = |arguments: &[&str]| {
            let mut command = skms();
            command.arg("--config").arg(path("skms.toml")).args(arguments);
            command
        };
        run(verb(&["init", "--trial", "--dir", directory.path().to_str().unwrap()])).ends(0, &[]);
        let kms = kms("kms.example.org");
        write_kms(&path("kms.json"), false, &kms).unwrap();
        run(verb(&["domain", "import", path("kms.json").to_str().unwrap()])).ends(0, &[]);
        let token = ["token", "--client-id", "group-manager", "--sub", "group-manager", "--out"];
        run(verb(&[&token[..], &[path("token").to_str().unwrap()]].concat())).ends(0, &[]);
        run(verb(&["block", "sip:mallory@example.org"])).ends(0, &[]);
        fs::write(path("group.key"), hex::encode(SEAL)).unwrap();
        fs::set_permissions(path("group.key"), Permissions::from_mode(0o600)).unwrap();

        let mut server = verb(&["serve", "--trial"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        // From here on it is killed if something fails.
        let mut trial = Self { directory, house: House::new().moved(kms), url: String::new(), server };
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        trial.url = format!("https://{}", ready["seal_x1"].as_str().unwrap());
        trial.house.now.set(Timestamp::now().unwrap());
        trial
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) {
        fs::write(self.path(name), octets).unwrap();
    }

    /// The verb for the members in the file `members`, with these values for some of its options.
    fn command(&self, others: &[(&str, &str)]) -> Command {
        let mut command = skms();
        command.args(["group", "distribute"]);
        let mut options = vec![
            ("--server", self.url.clone().into()),
            ("--skms-uri", "sip:skms.example.org".into()),
            ("--root", self.path("ca.pem")),
            ("--cert", self.path("group-manager.pem")),
            ("--key", self.path("group-manager.key")),
            ("--token-file", self.path("token")),
            ("--manager", MANAGER.into()),
            ("--group", FLEET.into()),
            ("--members", self.path("members")),
            ("--out", self.path("messages")),
            ("--state", self.path("fleet.state")),
            ("--seal-key", self.path("group.key")),
        ];
        for (name, value) in others {
            options.retain(|(option, _)| option != name);
            options.push((name, value.into()));
        }
        command.args(options.iter().flat_map(|(name, value)| [name.as_ref(), value.as_os_str()]));
        command
    }

    fn distribute(&self, others: &[(&str, &str)]) -> Run {
        run(self.command(others))
    }

    /// The messages by the names of their files. Drafts of a run that goes on may be gone when they are looked at.
    fn messages(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.path("messages")).into_iter().flatten().map(Result::unwrap);
        let names =
            entries.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name.ends_with(".mikey"));
        let read = |name: String| fs::read(self.path("messages").join(&name)).map(|message| (name, message)).unwrap();
        let mut messages: Vec<_> = names.map(read).collect();
        messages.sort();
        messages
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn all_members_get_the_key_and_once() {
    let trial = Trial::new();
    // As another system writes it.
    trial.write("members", format!("\u{feff}{}\r\n\r\n", members(3).join("\r\n")));
    let first = trial.distribute(&[]);
    first.ends(0, &["of purpose 0: 3 of 3 members have it\n"]);
    assert_eq!(first.err, "3 of 3\n");
    let messages = trial.messages();
    assert_eq!(messages.len(), 3);
    for ((name, message), user) in messages.iter().zip(members(3)) {
        let received = trial.house.extract(&user, message).unwrap();
        assert!(name.contains("member") && first.out.contains(&received.id.to_string()));
        let shown = format!("{}{}", first.out, first.err);
        assert!(!shown.contains(&hex::encode(received.key.expose())));
    }

    let again = trial.distribute(&[]);
    again.ends(0, &["3 of 3 members have it, 3 of them from before"]);
    assert_eq!(trial.messages(), messages);

    // Another group has its own state, and its own directory.
    let other = [("--group", "sip:other@example.org")];
    trial.distribute(&other).ends(1, &["fleet.state: the state of a distribution to sip:fleet@example.org"]);
    let state = trial.path("other.state");
    let other = [other[0], ("--state", state.to_str().unwrap())];
    trial.distribute(&other).ends(2, &["there are messages already", "choose another --out"]);
    let out = trial.path("other");
    let other = [&other[..], &[("--out", out.to_str().unwrap()), ("--purpose", "4")]].concat();
    trial.distribute(&other).ends(0, &["of purpose 4: 3 of 3"]);
    assert_eq!(trial.messages(), messages);
}

#[test]
fn who_is_refused_is_listed() {
    let trial = Trial::new();
    trial.write(
        "members",
        "sip:alice@example.org\nSIP:bob@example.org\nsip:mallory@example.org\nsip:alice@example.org\n",
    );
    let partly = trial.distribute(&[]);
    partly.ends(
        3,
        &[
            "1 of 4 members have it\n",
            "error: member 2, \"SIP:bob@example.org\": ",
            "error: member 3, \"sip:mallory@example.org\": is among the revokedUsers of the domain",
            "error: member 4, \"sip:alice@example.org\": stands in the list already, as member 1",
        ],
    );
    assert_eq!(trial.messages().len(), 1);
    let none = trial.path("none.state");
    let out = trial.path("none");
    trial.write("members", "sip:mallory@example.org\n");
    let none = [("--state", none.to_str().unwrap()), ("--out", out.to_str().unwrap())];
    trial.distribute(&none).ends(1, &["0 of 1 members have it", "revokedUsers"]);
}

#[test]
fn what_cannot_begin_says_why() {
    let mut trial = Trial::new();
    trial.write("members", "sip:bob@example.org");
    // One that is no group manager, with the certificate and token of one.
    trial
        .distribute(&[("--manager", "sip:alice@example.org")])
        .ends(1, &["sip:alice@example.org is not among the groupManagers", "role sgm"]);
    trial.write("none", "no.token.atall");
    let none = trial.path("none");
    trial.distribute(&[("--token-file", none.to_str().unwrap())]).ends(1, &["error 03"]);
    trial.distribute(&[("--skms-uri", "sip:other.example.org")]).ends(1, &["another SKM-S"]);
    // Another certificate of the authority, without the role.
    let [cert, key] = ["val-server.pem", "val-server.key"].map(|name| trial.path(name));
    let other = [("--cert", cert.to_str().unwrap()), ("--key", key.to_str().unwrap())];
    trial.distribute(&other).ends(1, &["refuses"]);

    let usage = |others: &[(&str, &str)], says: &[&str]| trial.distribute(others).ends(2, says);
    usage(&[("--purpose", "16")], &["--purpose"]);
    usage(&[("--manager", "SIP:groups@example.org")], &["--manager"]);
    usage(&[("--server", "http://127.0.0.1:1")], &["not https"]);
    usage(&[("--members", "/nowhere")], &["cannot read /nowhere"]);
    usage(&[("--root", "/nowhere")], &["cannot read /nowhere"]);
    usage(&[("--seal-key", "/nowhere")], &["/nowhere"]);
    usage(&[("--seal-key", trial.path("token").to_str().unwrap())], &["64 hexadecimal digits"]);
    usage(&[("--token-file", "/nowhere")], &["/nowhere"]);
    fs::set_permissions(trial.path("group.key"), Permissions::from_mode(0o644)).unwrap();
    usage(&[], &["group.key", "chmod 600"]);
    fs::set_permissions(trial.path("group.key"), Permissions::from_mode(0o600)).unwrap();
    for (octets, says) in [(&b"\n \n"[..], "there are no members"), (b"sip:a@example.org\n\xff", "members, line 2")] {
        trial.write("members", octets);
        usage(&[], &[says]);
    }
    trial.write("members", "sip:bob@example.org");

    let lock = State::open(trial.path("fleet.state"), SealKey::new(&SEAL), group()).unwrap();
    trial.distribute(&[]).ends(1, &["another distribution is at work with this state"]);
    drop(lock);
    trial.server.kill().unwrap();
    trial.server.wait().unwrap();
    trial.distribute(&[]).ends(1, &["cannot connect"]);
    // Nothing of all this has made a key.
    assert!(!trial.path("fleet.state").exists() && trial.messages().is_empty());
}

#[test]
fn a_killed_run_goes_on_with_the_same_key() {
    let trial = Trial::new();
    let members = members(1_000);
    trial.write("members", members.join("\n"));
    let mut killed = trial.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + PATIENCE;
    while trial.messages().is_empty() {
        assert!(Instant::now() < end, "there is no message");
        std::thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let begun = trial.messages();

    let resumed = trial.distribute(&[]);
    resumed.ends(0, &["1000 of 1000 members have it"]);
    let messages = trial.messages();
    assert_eq!(messages.len(), 1_000);
    let marks = id_and_rand(&begun[0].1);
    assert!(begun.iter().chain(&messages).all(|(_, message)| id_and_rand(message) == marks));
    trial.house.now.set(Timestamp::now().unwrap());
    let extract = |number: usize| trial.house.extract(&members[number - 1], &messages[number - 1].1).unwrap().key;
    let first = trial.house.extract(&members[0], &begun[0].1).unwrap().key;
    assert!([1, 64, 65, 500, 1_000].into_iter().all(|number| extract(number) == first));
}
