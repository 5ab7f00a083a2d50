//! RSKs that are extracted before they are asked for: `skms preissue`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use getrandom::SysRng;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::write_kms;
use rustix::process::{Pid, Signal, kill_process};
use skm::audit::Entry;
use skm::domain::SecurityDomain;
use skm::store::Store;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, raw_sql};

use crate::program::{Run, run};
use crate::site::Site;

/// A server that does not run, with master secrets, and users who were issued keys in the present key period.
struct Host {
    site: Site,
    kms: Kms,
    present: u64,
}

impl Host {
    fn new() -> Self {
        let site = Site::new();
        let (domain, format) = (site.config().domain, site.config().domain.uid_format().unwrap());
        let kms = Kms::generate(domain.kms_uri, format, &mut SysRng).unwrap();
        let path = site.path("master.json");
        write_kms(&path, true, &kms).unwrap();
        run(site.command(&["domain", "import", path.to_str().unwrap()]), "").done();
        let KeyPeriod::Number(present) = format.period_at(Timestamp::now().unwrap()).unwrap() else { unreachable!() };
        Self { site, kms, present }
    }

    fn skms(&self, arguments: &[&str]) -> Run {
        run(self.site.command(arguments), "")
    }

    /// Runs it for a period, and it does what it is asked for.
    fn preissue(&self, period: &str) -> String {
        let Run { code, out, err } = self.skms(&["preissue", "--period", period]);
        assert!(code == 0 && err.lines().all(|line| line.contains(" of ")), "{err}");
        out
    }

    /// Changes the database behind the server's back.
    async fn tamper(&self, statements: &str) {
        let mut connection = SqliteConnection::connect(&self.site.config().store.url).await.unwrap();
        raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Users of these numbers, who were issued keys in a period.
    async fn know(&self, numbers: std::ops::Range<u32>, period: u64) {
        let rows: Vec<_> = numbers.map(|number| format!("('{}', {period}, 1)", user(number))).collect();
        self.tamper(&format!("INSERT INTO issues (user_uri, period, count) VALUES {}", rows.join(", "))).await;
    }

    async fn store(&self) -> Store {
        let config = self.site.config();
        let secret = config.seal.source().unwrap().read().unwrap();
        Store::open(&config.store.url, secret, config.domain.server()).await.unwrap()
    }

    /// Whether users have an RSK for a period, of which each is what the master secrets give.
    async fn have(&self, users: &[Uri], period: u64) -> Vec<bool> {
        let store = self.store().await;
        let domain = SecurityDomain::load(&store, &self.site.config().domain).await.unwrap().unwrap();
        let (extraction, _) = domain.extraction(period).unwrap();
        let mut have = Vec::new();
        for user in users {
            let found = store.rsk(&extraction, user).await.unwrap();
            let expected = self.kms.extract_batch(&[(user, KeyPeriod::Number(period))]).remove(0).unwrap();
            assert!(found.as_ref().is_none_or(|rsk| *rsk == expected));
            have.push(found.is_some());
        }
        have
    }

    /// What the audit log says of runs: the outcome, the key period and how many users there were.
    async fn runs(&self) -> Vec<(String, Option<i64>, u64)> {
        let store = self.store().await;
        store.verify_audit().await.unwrap();
        let entries = store.audit(0).await.unwrap().into_iter().filter(|entry| entry.action == "preissue");
        let number = |entry: &Entry| entry.target.split_once(' ').unwrap().0.parse().unwrap();
        entries.map(|entry| (entry.outcome.clone(), entry.period, number(&entry))).collect()
    }
}

fn user(number: u32) -> Uri {
    Uri::parse(&format!("sip:user{number:05}@example.org")).unwrap()
}

#[tokio::test]
async fn all_who_were_issued_keys_lately_have_their_rsk_for_the_next_period() {
    let host = Host::new();
    let (present, next) = (host.present, host.present + 1);
    host.know(0..2, present).await;
    host.know(2..3, present - 1).await;
    host.know(3..4, present - 2).await;
    host.skms(&["block", user(1).as_str()]).done();
    let out = host.preissue("next");
    assert!(out.contains(&format!("Key period {next}: 2 RSKs")), "{out}");
    let users: Vec<_> = (0..4).map(user).collect();
    assert_eq!(host.have(&users, next).await, [true, false, true, false]);
    assert_eq!(host.have(&users, present).await, [false; 4]);

    // Again, it is for those who have come since, and for a period by its number.
    host.know(4..5, present).await;
    let out = host.preissue(&next.to_string());
    assert!(out.contains("1 RSKs"), "{out}");
    let out = host.preissue(&present.to_string());
    assert!(out.contains("3 RSKs"), "{out}");
    let [next, present] = [next, present].map(|period| Some(period.cast_signed()));
    let done = "done".to_owned();
    assert_eq!(host.runs().await, [(done.clone(), next, 2), (done.clone(), next, 1), (done, present, 3)]);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_the_rest_is_done() {
    let host = Host::new();
    for period in ["", "last", "-1", "1e3", "18446744073709551616"] {
        host.skms(&["preissue", "--period", period]).fails(2, &["--period"]);
    }
    for period in [0, host.present - 1, host.present + 2, u64::MAX] {
        host.skms(&["preissue", "--period", &period.to_string()])
            .fails(2, &["neither the present one", "nor the next"]);
    }
    assert!(host.runs().await.is_empty());

    host.tamper(&format!("INSERT INTO issues VALUES ('Nobody', {}, 1)", host.present)).await;
    let failed = host.skms(&["preissue", "--period", "next"]);
    assert_eq!((failed.code, failed.err.contains("Nobody")), (1, true), "{failed:?}");
    host.know(0..1, host.present).await;
    let partly = host.skms(&["preissue", "--period", "next"]);
    assert_eq!((partly.code, partly.err.contains("Nobody")), (3, true), "{partly:?}");
    let outcomes: Vec<_> = host.runs().await.into_iter().map(|(outcome, _, users)| (outcome, users)).collect();
    assert_eq!(outcomes, [("failed".to_owned(), 0), ("failed".to_owned(), 1)]);

    let without = Site::new();
    run(without.command(&["preissue", "--period", "next"]), "").fails(1, &["no master secrets", "skms domain import"]);
}

#[tokio::test]
async fn a_run_that_is_interrupted_is_gone_on_with() {
    const USERS: u32 = 10_240;
    let host = Host::new();
    host.know(0..USERS, host.present).await;
    let mut command = host.site.command(&["preissue", "--period", "next"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // A tenth is done, and the rest takes a while.
    err.read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), format!("1024 of {USERS}"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    err.read_to_string(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{line}");
    assert!(line.contains("interrupted") && line.contains("run it again"), "{line}");
    let [(outcome, _, stored)] = &host.runs().await[..] else { panic!("not one run") };
    assert_eq!(outcome, "failed");
    let stored = u32::try_from(*stored).unwrap();
    assert!((1024..USERS).contains(&stored));
    assert_eq!(host.have(&[user(0), user(stored - 1), user(stored)], host.present + 1).await, [true, true, false]);

    // Of the others, some are left.
    host.tamper(&format!("DELETE FROM issues WHERE user_uri > '{}'", user(stored + 4))).await;
    let out = host.preissue("next");
    assert!(out.contains(": 5 RSKs"), "{out}");
    assert_eq!(host.have(&[user(stored), user(stored + 4)], host.present + 1).await, [true, true]);
}

#[tokio::test]
async fn by_a_clock_that_jumped_nothing_is_extracted() {
    let host = Host::new();
    host.know(0..1, host.present).await;
    host.tamper("INSERT INTO clock (id, latest) VALUES (1, 1000000000)").await;
    let Run { code, out, err } = host.skms(&["preissue", "--period", "next"]);
    assert!(code == 1 && out.is_empty() && err.contains("skms clock show"), "{code} {out} {err}");
    host.skms(&["clock", "accept"]);
    assert!(host.preissue("next").contains(": 1 RSK"));
}
