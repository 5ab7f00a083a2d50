//! The verbs of `skms`, as an operator sees them: what is printed, what is written, and what the program exits with.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod audit;
mod backup;
mod certs;
mod config;
mod domain;
mod export;
mod init;
#[path = "../support/program.rs"]
mod program;
mod provision;
mod token;
mod users;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::{Run, run, skms};
use skm::config::Config;
use skm::store::Store;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// A directory with a trial.
struct Trial {
    directory: TempDir,
}

impl Trial {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        run(skms(["init", "--trial", "--dir", directory.path().to_str().unwrap()]), "").done();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes a file for its owner alone.
    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Replaces a text of the configuration that is there once.
    fn configure(&self, old: &str, new: &str) {
        let text = self.text("skms.toml");
        assert_eq!(text.matches(old).count(), 1, "{old}");
        self.write("skms.toml", &text.replace(old, new));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = skms(arguments.iter().copied());
        command.arg("--config").arg(self.path("skms.toml"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        run(self.command(arguments), "")
    }

    fn config(&self) -> Config {
        Config::read(&self.text("skms.toml"), []).unwrap()
    }

    async fn store(&self) -> (Config, Store) {
        let config = self.config();
        let secret = config.seal.source().unwrap().read().unwrap();
        let store = Store::open(&config.store.url, secret, config.domain.skms_uri.as_str()).await.unwrap();
        (config, store)
    }

    /// Changes the database behind the store's back.
    async fn tamper(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.path("skms.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// The rights of a file, without its type.
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
