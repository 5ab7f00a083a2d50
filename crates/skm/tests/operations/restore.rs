//! A store that is lost, and comes back from its backup.

use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::documents::{KeyContent, KmsMessage, KmsResponse, Tolerances};
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::write_kms;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::http::{Answer, Client};
use crate::postgres;
use crate::program::{Run, run};
use crate::site::{IDENTITY_KEYS, PATIENCE, Process, SERVICE, Site, claims, identity_request};
use crate::support::with;

/// For so long a server that was restored refuses: twice the window and a second.
const HOLD: Duration = Duration::from_secs(5);

/// The operator of a server whose store moves.
struct House {
    site: Site,
}

impl House {
    fn new() -> Self {
        Self { site: Site::new().set("time", "window_seconds", "2") }
    }

    /// The program with a store elsewhere.
    fn command(&self, url: &str, arguments: &[&str]) -> std::process::Command {
        let mut command = self.site.command(arguments);
        command.env("SKMS__STORE__URL", url);
        command
    }

    fn skms(&self, url: &str, arguments: &[&str]) -> Run {
        run(self.command(url, arguments), "")
    }

    fn serve(&self, url: &str) -> Process {
        Process::start(self.command(url, &["serve"]))
    }

    fn file(&self, name: &str) -> String {
        self.site.path(name).to_str().unwrap().to_owned()
    }

    fn found_domain(&self, url: &str) {
        let format = UidFormat::hashed(2_592_000, 0).unwrap();
        let kms = Kms::generate(Uri::parse("kms.example.org").unwrap(), format, &mut SysRng).unwrap();
        write_kms(&self.site.path("master.json"), true, &kms).unwrap();
        self.skms(url, &["domain", "import", &self.file("master.json")]).done();
    }

    async fn ask(&self, server: &Process, request: &Value) -> Answer {
        let token = with(claims("client-1", "seal:key-management"), "val_service_ids", json!([SERVICE, IDENTITY_KEYS]));
        let client = Client::new(server.address("km_uu"), self.site.anonymous());
        client.key_request(&self.site.sign(&token), request.to_string()).await
    }

    /// Asks until there is an answer: the request that was answered, and the RSK.
    async fn rsk(&self, server: &Process) -> (Value, Vec<u8>) {
        let end = Instant::now() + PATIENCE;
        loop {
            let request = identity_request();
            let answer = self.ask(server, &request).await;
            if answer.status == 200 {
                return (request, rsk(&answer));
            }
            assert!(Instant::now() < end, "{answer:?}\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The RSK of the present period in an answer.
fn rsk(answer: &Answer) -> Vec<u8> {
    let payload = answer.assert_km(200, None)["Payload"].as_str().unwrap().to_owned();
    let response = KmsResponse::from_xml(payload.as_bytes(), Tolerances::default()).unwrap();
    let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no KmsKeyProv") };
    let KeyContent::Plain(rsk) = &provision.key_sets[0].rsk else { panic!("a wrapped key") };
    rsk.expose().to_vec()
}

/// A server goes on elsewhere with what was there when the backup was made.
async fn moves(house: House, from: &str, to: &str) {
    for url in [from, to] {
        house.skms(url, &["migrate"]).done();
    }
    house.found_domain(from);
    let server = house.serve(from);
    let (request, key) = house.rsk(&server).await;
    house.skms(from, &["block", "sip:eve@example.org"]).done();
    // While it serves.
    let backup = house.file("a.backup");
    house.skms(from, &["backup", &backup]).done();
    drop(server);

    let start = Instant::now();
    house.skms(to, &["restore", &backup]).done();
    let server = house.serve(to);
    // What was answered before the store was lost is not answered again.
    assert_ne!(house.ask(&server, &request).await.status, 200);
    let (_, again) = house.rsk(&server).await;
    // The time of a restoration is in whole seconds.
    assert!(start.elapsed() > HOLD - Duration::from_secs(1), "answered after {:?}", start.elapsed());
    assert_ne!(house.ask(&server, &request).await.status, 200);
    assert_eq!(again, key, "the RSK of the same user and period");
    assert!(house.skms(to, &["block", "sip:eve@example.org"]).done().contains("was blocked already"));
    house.skms(to, &["audit", "verify"]).done();
    house.skms(to, &["restore", &backup]).fails(1, &["is not empty"]);
}

#[tokio::test]
async fn a_file_comes_back_as_a_file() {
    let house = House::new();
    let urls = ["a.db", "b.db"].map(|name| format!("sqlite:{}", house.file(name)));
    moves(house, &urls[0], &urls[1]).await;
}

#[tokio::test]
async fn a_file_comes_back_in_postgresql() {
    let Some(server) = spawn_blocking(postgres::shared).await.unwrap() else { return };
    let house = House::new();
    let from = format!("sqlite:{}", house.file("a.db"));
    moves(house, &from, &server.url(&server.database())).await;
}

#[tokio::test]
#[ignore = "takes minutes; run by .ci/run operations"]
async fn a_database_of_postgresql_comes_back_as_a_file_and_as_another() {
    let Some(server) = spawn_blocking(postgres::shared).await.unwrap() else { return };
    let house = House::new();
    let to = format!("sqlite:{}", house.file("b.db"));
    moves(house, &server.url(&server.database()), &to).await;
    moves(House::new(), &server.url(&server.database()), &server.url(&server.database())).await;
}
