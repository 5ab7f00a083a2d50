//! R46 and R49: what the server keeps, and for whom.

use mikey_sakke::km::Subject;
use mikey_sakke::kms::Validity;
use mikey_sakke::time::Timestamp;
use serde_json::json;

use crate::site::{ALICE, SERVICE, Site};
use crate::support::NOW;
use crate::world::{FORBIDDEN, NOTHING, World, fixed, now, payload, skm_c, uri, user};

const SEALDD: (&str, &str) = ("https://sealdd.example.org", "sealdd-server");

/// A site whose policy has a SEALDD server, with these roles.
fn with_sealdd(roles: &str) -> Site {
    let (san, client_id) = SEALDD;
    Site::new()
        .with_row(&format!("san = \"{san}\"\nclient_id = \"{client_id}\"\nroles = {roles}\nservices = [\"{SERVICE}\"]"))
}

/// R46: the server keeps security related information, and provides it to clients in UEs, group management servers and
/// VAL servers.
#[tokio::test]
async fn r46_ue_group_management_server_and_val_server_are_provided() {
    let world = World::new().await.restart().await;
    for asker in [world.ue(), world.group_manager(), world.val_server()] {
        asker.gets(SERVICE, &Subject::Service).await;
    }
}

#[tokio::test]
async fn r46_a_user_is_provided_with_identity_keys() {
    let world = World::new().await;
    world.import().await;
    let services = json!(["urn:mikey-sakke:identity-keys"]);
    let token = world.ue().claiming("val_service_ids", services).token();
    let client = skm_c(&world.settings(world.km_uu()), fixed(&token));
    let domain = client.domain().await.unwrap();
    let keys = client.identity_keys(&uri(ALICE), &domain).await.unwrap();
    assert_eq!(*keys.current.keys.user(), uri(ALICE));
}

#[tokio::test]
async fn r46_what_is_kept_cannot_be_read_from_the_files() {
    let world = World::new().await;
    let secret = payload(SERVICE, &Subject::Service);
    for name in ["skms.db", "skms.db-wal"] {
        let file = std::fs::read(world.site.path(name)).unwrap();
        assert!(!file.is_empty() && !file.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name}");
    }
}

#[tokio::test]
async fn r46_what_is_no_longer_valid_is_not_provided() {
    let world = World::new().await;
    let at = |seconds| Some(Timestamp::from_unix(seconds).unwrap());
    let (past, future) = (Validity { from: None, to: at(NOW) }, Validity { from: at(NOW + 1), to: None });
    for validity in [past, future] {
        world.keep(SERVICE, &user(ALICE), "stale", validity).await;
        world.ue().is_refused(SERVICE, &user(ALICE), NOTHING).await;
    }
    let text = payload(SERVICE, &user(ALICE));
    world.keep(SERVICE, &user(ALICE), &text, Validity { from: Some(now()), to: at(NOW + 1) }).await;
    world.ue().gets(SERVICE, &user(ALICE)).await;
}

/// R49: servers and clients of SEALDD are clients of key management like any others.
#[tokio::test]
async fn r49_a_sealdd_server_and_client_are_answered() {
    let world = World::of(with_sealdd("[\"val\"]")).await;
    world.server_on(world.km_s(), SEALDD).gets(SERVICE, &Subject::Service).await;
    world.ue().claiming("client_id", json!("sealdd-client")).gets(SERVICE, &Subject::Service).await;
}

#[tokio::test]
async fn r49_a_sealdd_server_without_a_role_is_refused() {
    let world = World::of(with_sealdd("[]")).await;
    world.server_on(world.km_s(), SEALDD).is_refused(SERVICE, &Subject::Service, FORBIDDEN).await;
}

#[tokio::test]
async fn r49_a_sealdd_client_without_the_scope_is_refused() {
    let world = World::of(with_sealdd("[\"val\"]")).await;
    let ue = world.ue().claiming("client_id", json!("sealdd-client")).claiming("scope", json!("seal:data-delivery"));
    ue.is_refused(SERVICE, &Subject::Service, FORBIDDEN).await;
}
