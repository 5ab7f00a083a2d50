//! Several servers on one database, each the program on its own.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::LazyLock;

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::write_kms;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::http::{Answer, Client, JSON};
use crate::postgres::{self, Postgres};
use crate::program::{Run, run};
use crate::site::{ALICE, IDENTITY_KEYS, PROVISIONER, Process, SERVICE, Site, claims};
use crate::support::with;

/// The variable that gives a server its own name.
const NAME: &str = "SKMS__DOMAIN__SKMS_ID";

/// Master secrets of the domain, made once, as they take long to make.
static KMS: LazyLock<Kms> = LazyLock::new(|| {
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    Kms::generate(Uri::parse("kms.example.org").unwrap(), format, &mut SysRng).unwrap()
});

/// A database with the schema, and the configuration that its servers share.
pub(crate) struct Fleet<'a> {
    pub(crate) site: Site,
    pub(crate) postgres: &'a Postgres,
    pub(crate) database: String,
}

impl Fleet<'static> {
    /// A database of the server that all tests share, unless there is none to be had.
    pub(crate) async fn new() -> Option<Self> {
        Self::of(Site::new()).await
    }

    /// The same with a configuration.
    pub(crate) async fn of(site: Site) -> Option<Self> {
        Some(Fleet::on(spawn_blocking(postgres::shared).await.unwrap()?, site))
    }
}

impl<'a> Fleet<'a> {
    /// A database of this server.
    pub(crate) fn on(postgres: &'a Postgres, site: Site) -> Self {
        let fleet = Self::unmigrated(postgres, site);
        fleet.skms(&["migrate"]).done();
        fleet
    }

    /// A database without schema.
    pub(crate) fn unmigrated(postgres: &'a Postgres, site: Site) -> Self {
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

    /// Gives the domain master secrets.
    pub(crate) fn found_domain(&self) {
        let path = self.site.path("master.json");
        write_kms(&path, true, &KMS).unwrap();
        self.skms(&["domain", "import", path.to_str().unwrap()]).done();
    }

    /// Starts a server of this name, which is in its answers and in the audit log.
    pub(crate) fn serve(&self, name: &str) -> Process {
        let mut command = self.site.command(&["serve"]);
        command.env(NAME, name);
        Process::start(command)
    }

    /// A client without certificate, on KM-UU.
    pub(crate) fn ue(&self, server: &Process) -> Client {
        Client::new(server.address("km_uu"), self.site.anonymous())
    }

    /// A server of the VAL, or of the operator, on KM-S, by the URI in its certificate.
    pub(crate) fn client(&self, server: &Process, uri: &str) -> Client {
        Client::new(server.address("km_s"), self.site.client(uri))
    }

    /// Whoever provisions records, on KM-S.
    pub(crate) fn provisioner(&self, server: &Process) -> Provisioner {
        let token = self.site.token(PROVISIONER.1, "seal:key-provisioning");
        Provisioner { client: self.client(server, PROVISIONER.0), authorization: format!("Bearer {token}") }
    }

    /// A token of a user's UE for the service, and for identity keys.
    pub(crate) fn user_token(&self, user: &str) -> String {
        let claims = with(claims("client-1", "seal:key-management"), "val_user_id", json!(user));
        self.site.sign(&with(claims, "val_service_ids", json!([SERVICE, IDENTITY_KEYS])))
    }
}

/// The client for health and metrics.
pub(crate) fn admin(server: &Process) -> Client {
    Client::plain(server.address("admin"))
}

/// Whoever provisions records, with a token.
pub(crate) struct Provisioner {
    client: Client,
    authorization: String,
}

impl Provisioner {
    fn path(client: &str) -> String {
        format!("/seal-km/v1/services/{SERVICE}/key-records/client/{client}")
    }

    /// Stores the record of a VAL client of the service. It fails if the connection does.
    pub(crate) async fn put(&self, client: &str, payload: &str) -> reqwest::Result<Answer> {
        let record = json!({"UserUri": ALICE, "Payload": payload});
        self.send("PUT", client, Some(&record)).await
    }

    async fn send(&self, method: &str, client: &str, body: Option<&Value>) -> reqwest::Result<Answer> {
        let request = self.client.request(method, &Self::path(client));
        let request = request.header("authorization", &self.authorization);
        let request = match body {
            Some(body) => request.header(JSON.0, JSON.1).body(body.to_string()),
            None => request,
        };
        Answer::of(request).await
    }
}
