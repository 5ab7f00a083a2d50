//! Databases whose schema is not that of the program.

use tokio::task::spawn_blocking;

use crate::fleet::Fleet;
use crate::postgres;
use crate::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_makes_no_schema() {
    let Some(postgres) = spawn_blocking(postgres::shared).await.unwrap() else { return };
    let fleet = Fleet::unmigrated(postgres, Site::new());
    for _ in 0..2 {
        fleet.skms(&["serve"]).fails(1, &["skms migrate"]);
    }
    fleet.skms(&["block", "sip:eve@example.org"]).fails(1, &["skms migrate"]);
    fleet.skms(&["migrate"]).done();
    let server = fleet.serve("skms-1");
    assert_eq!(fleet.link(&server).put("client-1", "x").await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_behind_is_named_with_what_helps() {
    let Some(fleet) = Fleet::new().await else { return };
    fleet.tamper("UPDATE schema SET version = version - 1, oldest = oldest - 1");
    fleet.skms(&["serve"]).fails(1, &["skms migrate"]);
}

/// The next release has migrated the database, and says that this one may go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_with_the_schema_of_the_next_release() {
    let Some(fleet) = Fleet::new().await else { return };
    let before = fleet.serve("skms-1");
    assert_eq!(fleet.link(&before).put("client-1", "x").await.unwrap().status, 201);
    fleet.tamper("ALTER TABLE audit ADD COLUMN added BIGINT; UPDATE schema SET version = version + 1");
    let after = fleet.serve("skms-2");
    for server in [&before, &after] {
        assert_eq!(fleet.link(server).put("client-1", "y").await.unwrap().status, 204);
    }
    fleet.audit("skms-1");
    fleet.audit("skms-2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_too_new_is_left_alone() {
    let Some(fleet) = Fleet::new().await else { return };
    fleet.tamper("UPDATE schema SET version = version + 1, oldest = version + 1");
    for verb in [&["serve"][..], &["migrate"], &["audit", "list"]] {
        fleet.skms(verb).fails(1, &["skms migrate of the newest version made it"]);
    }
}
