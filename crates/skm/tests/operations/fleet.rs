//! Several servers on one database, each the program on its own.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::LazyLock;

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::write_kms;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::http::{Answer, Client, JSON, KM};
use crate::postgres::{self, Postgres};
use crate::program::{Run, run};
use crate::site::{ALICE, IDENTITY_KEYS, PROVISIONER, Process, SERVICE, Site, claims, km_request};
use crate::support::with;

/// The variable that gives a server its own name.
const NAME: &str = "SKMS__DOMAIN__SKMS_ID";

/// Master secrets of the domain, made once, as they take long to make.
pub(crate) static KMS: LazyLock<Kms> = LazyLock::new(|| {
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    Kms::generate(Uri::parse("kms.example.org").unwrap(), format, &mut SysRng).unwrap()
});

/// A database with the schema, and the configuration that its servers share.
pub(crate) struct Fleet {
    pub(crate) site: Site,
    pub(crate) postgres: &'static Postgres,
    pub(crate) database: String,
}

impl Fleet {
    /// A database of the server that all tests share, unless there is none to be had.
    pub(crate) async fn new() -> Option<Self> {
        Self::of(Site::new()).await
    }

    /// The same with a configuration.
    pub(crate) async fn of(site: Site) -> Option<Self> {
        Some(Self::on(spawn_blocking(postgres::shared).await.unwrap()?, site))
    }

    /// A database of a server that no other test has, and that this one may stop.
    pub(crate) async fn alone(site: Site) -> Option<Self> {
        // It ends with the tests.
        Some(Self::on(Box::leak(Box::new(spawn_blocking(Postgres::start).await.unwrap()?)), site))
    }

    fn on(postgres: &'static Postgres, site: Site) -> Self {
        let fleet = Self::unmigrated(postgres, site);
        fleet.skms(&["migrate"]).done();
        fleet
    }

    /// A database without schema.
    pub(crate) fn unmigrated(postgres: &'static Postgres, site: Site) -> Self {
        let database = postgres.database();
        let site = site.set("store", "url", &format!("{:?}", postgres.url(&database)));
        Self { site, postgres, database }
    }

    /// Runs a verb, as the operator.
    pub(crate) fn skms(&self, arguments: &[&str]) -> Run {
        run(self.site.command(arguments), "")
    }

    /// Runs a verb under the name of a server, whose audit log it then has.
    pub(crate) fn skms_as(&self, name: &str, arguments: &[&str]) -> Run {
        let mut command = self.site.command(arguments);
        command.env(NAME, name);
        run(command, "")
    }

    /// The audit log of a server, whose chain has to be whole.
    pub(crate) fn audit(&self, name: &str) -> Vec<Value> {
        let verified = self.skms_as(name, &["audit", "verify"]).done();
        let list = self.skms_as(name, &["audit", "list", "--json"]).done();
        let entries: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(entries.is_empty() || verified.contains("each in its place"), "{verified}");
        entries
    }

    /// Changes the database behind the servers' backs.
    pub(crate) fn tamper(&self, statements: &str) {
        self.postgres.execute(&self.database, statements);
    }

    /// Gives the domain master secrets.
    pub(crate) fn found_domain(&self) {
        found_domain(&self.site);
    }

    /// Starts a server of this name, which is in its answers and in the audit log.
    pub(crate) fn serve(&self, name: &str) -> Process {
        let mut command = self.site.command(&["serve"]);
        command.env(NAME, name);
        Process::start(command)
    }

    /// Connections to a server, for those who ask and for those who provision.
    pub(crate) fn link(&self, server: &Process) -> Link {
        let token = self.site.token(PROVISIONER.1, "seal:key-provisioning");
        Link {
            ue: Client::new(server.address("km_uu"), self.site.anonymous()),
            provisioner: Client::new(server.address("km_s"), self.site.client(PROVISIONER.0)),
            authorization: format!("Bearer {token}"),
        }
    }

    /// A token of a user's UE for the service, and for identity keys.
    pub(crate) fn user_token(&self, user: &str) -> String {
        let claims = with(claims("client-1", "seal:key-management"), "val_user_id", json!(user));
        self.site.sign(&with(claims, "val_service_ids", json!([SERVICE, IDENTITY_KEYS])))
    }
}

/// Gives the domain of a site master secrets.
pub(crate) fn found_domain(site: &Site) {
    let path = site.path("master.json");
    write_kms(&path, true, &KMS).unwrap();
    run(site.command(&["domain", "import", path.to_str().unwrap()]), "").done();
}

/// The client for health and metrics.
pub(crate) fn admin(server: &Process) -> Client {
    Client::plain(server.address("admin"))
}

/// Connections to a server.
pub(crate) struct Link {
    /// A client without certificate, on KM-UU.
    pub(crate) ue: Client,
    provisioner: Client,
    authorization: String,
}

impl Link {
    /// Stores the record of a VAL client of the service.
    pub(crate) async fn put(&self, client: &str, payload: &str) -> reqwest::Result<Answer> {
        let record = json!({"UserUri": ALICE, "Payload": payload}).to_string();
        let path = format!("/seal-km/v1/services/{SERVICE}/key-records/client/{client}");
        let request = self.provisioner.request("PUT", &path).header(JSON.0, JSON.1);
        Answer::of(request.header("authorization", &self.authorization).body(record)).await
    }

    /// Sends a KM Request.
    pub(crate) async fn ask(&self, token: &str, request: &Value) -> reqwest::Result<Answer> {
        let post = self.ue.request("POST", KM).header(JSON.0, JSON.1).bearer_auth(token);
        Answer::of(post.body(request.to_string())).await
    }
}

/// A KM Request of now for the record of a VAL client.
pub(crate) fn client_request(client: &str) -> Value {
    with(km_request(), "ClientID", json!(client))
}

/// A site whose servers take a request for new for ten minutes: that a test is slow is no reason to refuse one.
pub(crate) fn patient() -> Site {
    Site::new().set("time", "window_seconds", "600")
}
