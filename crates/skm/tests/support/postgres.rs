//! A PostgreSQL server of the tests' own: on a socket in a directory of its own, and gone when the tests are.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes tests fail that have no server.
const REQUIRE: &str = "MIKEY_SAKKE_REQUIRE_POSTGRES";

/// Where Debian keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Makes a server and stops it at the end of its input, which comes with the end of the tests, however that comes.
const SCRIPT: &str = r#"
    bin=$1 directory=$(mktemp -d) || exit 1
    trap '' HUP INT TERM
    trap '"$bin/pg_ctl" -D "$directory/data" -m immediate stop; rm -rf "$directory"' EXIT
    exec 3>&1 >"$directory/log" 2>&1
    "$bin/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --no-locale --no-sync || exit 1
    "$bin/pg_ctl" -D "$directory/data" -o "-k $directory -c listen_addresses=" -l "$directory/log" -w start || exit 1
    echo "$directory" >&3
    exec 3>&-
    read -r _
"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Postgres {
    bin: PathBuf,
    directory: PathBuf,
    process: Child,
    /// The end of this is the end of the server.
    input: Option<ChildStdin>,
    databases: AtomicU32,
}

/// The server that all tests of a program share, unless there is none to be had.
pub(crate) fn shared() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    SERVER.get_or_init(Postgres::start).as_ref()
}

impl Postgres {
    /// Starts a server if PostgreSQL is installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            assert!(
                std::env::var_os(REQUIRE).is_none_or(|value| value != "1"),
                "{REQUIRE}, and there is no PostgreSQL"
            );
            static ONCE: std::sync::Once = std::sync::Once::new();
            // Not through the macro, whose output tests that pass do not show.
            ONCE.call_once(|| std::io::stdout().write_all(b"SKIPPED: PostgreSQL is not installed\n").unwrap());
            return None;
        };
        let mut process = unprivileged("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(&bin)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut directory = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut directory).unwrap();
        assert!(!directory.is_empty(), "PostgreSQL does not start");
        let input = process.stdin.take();
        let directory = directory.trim_end().into();
        Some(Self { bin, directory, process, input, databases: AtomicU32::new(0) })
    }

    /// The directory with the socket.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name of a new database.
    pub(crate) fn database(&self) -> String {
        self.database_with(&[])
    }

    /// The name of a new database that `createdb` makes with these options.
    pub(crate) fn database_with(&self, options: &[&str]) -> String {
        let name = format!("skm{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("createdb", &[options, &[&name]].concat());
        name
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.directory.display())
    }

    /// Everything that is in a database, as text.
    pub(crate) fn dump(&self, database: &str) -> Vec<u8> {
        self.run("pg_dump", &[database])
    }

    /// Runs statements in a database.
    pub(crate) fn execute(&self, database: &str, statements: &str) {
        self.run("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statements]);
    }

    /// Stops the server as a crash would.
    pub(crate) fn stop(&self) {
        self.control(&["stop"]);
    }

    /// Starts it again, with further settings.
    pub(crate) fn start_again(&self, settings: &[(&str, &str)]) {
        let mut options = format!("-k {} -c listen_addresses=", self.directory.display());
        for (name, value) in settings {
            options.push_str(&format!(" -c {name}={value}"));
        }
        self.control(&["start", "-w", "-o", &options]);
    }

    /// Writes a file that is the server's alone; returns where.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.join(name);
        let mut command = unprivileged("sh");
        command.args(["-c", r#"umask 077 && cat >"$1""#, "sh"]).arg(&path).current_dir("/").stdin(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
        assert!(process.wait().unwrap().success());
        path
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = unprivileged(self.bin.join("pg_ctl"));
        command.arg("-D").arg(self.directory.join("data")).arg("-l").arg(self.directory.join("log"));
        command.args(["-m", "immediate"]).args(arguments).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "pg_ctl {arguments:?}");
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(self.bin.join(program));
        let output = command.args(["-U", "postgres", "-h"]).arg(&self.directory).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.input = None;
        // Whatever became of it, it is over.
        let _ = self.process.wait();
    }
}

/// The programs of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let number = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    versions.filter(|bin| bin.join("initdb").is_file()).max_by_key(number)
}

/// A program of somebody else than root, whom PostgreSQL refuses.
fn unprivileged(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}
