//! R20 to R26: what is asked for, and what of.

use mikey_sakke::km::Subject;
use serde_json::{Value, json};

use crate::site::{ALICE, SERVICE, SKMS_URI};
use crate::support::{NOW, base64url, claims, header};
use crate::world::{BOB, CAROL, FORBIDDEN, NOTHING, OTHER_SERVICE, World, client, device, request, user};

/// R20: Version is "1.0.0".
#[tokio::test]
async fn r20_version_1_0_0_is_answered() {
    let world = World::new().await;
    world.ue().ask(&[("Version", json!("1.0.0"))]).await.assert_km(200, None);
}

#[tokio::test]
async fn r20_another_version_is_refused() {
    let world = World::new().await;
    for version in ["0.0.0", "1.0", "1.0.1", "2.0.0", "1.0.0 "] {
        world.ue().ask(&[("Version", json!(version))]).await.assert_km(400, Some("04"));
    }
    world.ue().ask(&[("Version", Value::Null)]).await.assert_km(400, Some("04"));
}

/// R21: a request names exactly one ServiceID.
#[tokio::test]
async fn r21_one_service_is_answered() {
    let world = World::new().await;
    world.ue().ask(&[("ServiceID", json!(SERVICE))]).await.assert_km(200, None);
}

#[tokio::test]
async fn r21_no_service_is_refused() {
    let world = World::new().await;
    for service in [Value::Null, json!(""), json!([SERVICE])] {
        world.ue().ask(&[("ServiceID", service)]).await.assert_km(400, Some("04"));
    }
}

#[tokio::test]
async fn r21_two_services_are_refused() {
    let world = World::new().await;
    let ue = world.ue();
    let text = request(&[]).to_string().replacen('{', &format!("{{\"ServiceID\":\"{OTHER_SERVICE}\","), 1);
    ue.client.key_request(&ue.token(), text).await.assert_km(400, Some("04"));
}

/// R22: at most one of ClientID, DeviceID and UserID stands beside the ServiceID.
#[tokio::test]
async fn r22_one_identifier_is_answered() {
    let world = World::new().await;
    for one in [("ClientID", json!("client-1")), ("DeviceID", json!("device-7")), ("UserID", json!(ALICE))] {
        world.ue().ask(&[one]).await.assert_km(200, None);
    }
}

#[tokio::test]
async fn r22_two_identifiers_are_refused() {
    let world = World::new().await;
    let all = [("ClientID", json!("client-1")), ("DeviceID", json!("device-7")), ("UserID", json!(ALICE))];
    for left_out in 0..=all.len() {
        let several = all.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, one)| one.clone());
        world.ue().ask(&several.collect::<Vec<_>>()).await.assert_km(400, Some("04"));
    }
}

/// R23: the identifiers are those of the VAL service, the VAL client, the VAL UE and the VAL user.
#[tokio::test]
async fn r23_each_identifier_is_that_of_the_token() {
    let world = World::new().await;
    let ue = world.ue().claiming("client_id", json!("client-2")).claiming("sub", json!("device-8"));
    let ue = ue.claiming("val_user_id", json!(BOB)).claiming("val_service_ids", json!([OTHER_SERVICE]));
    for subject in [Subject::Service, client("client-2"), device("device-8"), user(BOB)] {
        ue.gets(OTHER_SERVICE, &subject).await;
    }
}

#[tokio::test]
async fn r23_the_identifier_of_another_is_refused() {
    let world = World::new().await;
    for subject in [client("client-2"), user(BOB)] {
        world.ue().is_refused(SERVICE, &subject, FORBIDDEN).await;
    }
    // The name of one kind is none of another.
    world.ue().is_refused(SERVICE, &client("device-7"), FORBIDDEN).await;
    world.ue().is_refused(SERVICE, &device("client-1"), FORBIDDEN).await;
}

/// R24: the server checks token and signature, that it is the one addressed, and that the request is of this time.
#[tokio::test]
async fn r24_a_request_of_this_time_for_this_server_is_answered() {
    let world = World::new().await;
    world.ue().ask(&[("SKmsUri", json!(SKMS_URI)), ("DateTime", json!(NOW))]).await.assert_km(200, None);
}

#[tokio::test]
async fn r24_a_token_with_another_signature_is_refused() {
    let world = World::new().await;
    let genuine = world.ue().token();
    let (message, _) = genuine.rsplit_once('.').unwrap();
    let others = world.site.tokens.token("ES256", &header().to_string(), &claims().to_string());
    let (_, other) = others.rsplit_once('.').unwrap();
    for token in [format!("{message}.{}", base64url([0x5a; 64])), format!("{}x.{other}", &message[..message.len() - 1])]
    {
        let answer = world.ue().client.key_request(&token, request(&[]).to_string()).await;
        answer.assert_km(401, Some("03"));
    }
}

#[tokio::test]
async fn r24_a_request_for_another_server_is_refused() {
    let world = World::new().await;
    for server in ["sip:skms.example.com", "sip:skms@skms.example.org", "sips:skms.example.org"] {
        world.ue().ask(&[("SKmsUri", json!(server))]).await.assert_km(400, Some("04"));
    }
}

#[tokio::test]
async fn r24_a_request_of_another_time_is_refused() {
    let world = World::new().await;
    for near in [NOW - 5, NOW + 5] {
        world.ue().ask(&[("DateTime", json!(near))]).await.assert_km(200, None);
    }
    for far in [NOW - 6, NOW + 6] {
        world.ue().ask(&[("DateTime", json!(far))]).await.assert_km(400, Some("04"));
    }
}

#[tokio::test]
async fn r24_a_request_that_was_answered_before_is_refused() {
    let world = World::new().await;
    let ue = world.ue();
    let (token, text) = (ue.token(), request(&[]).to_string());
    ue.client.key_request(&token, text.clone()).await.assert_km(200, None);
    ue.client.key_request(&token, text).await.assert_km(403, Some("04"));
}

/// R25: a ServiceID alone selects the material of the service, with an identifier that of the client, device or user.
#[tokio::test]
async fn r25_each_selection_has_its_own_material() {
    let world = World::new().await;
    for subject in [Subject::Service, client("client-1"), device("device-7"), user(ALICE)] {
        world.ue().gets(SERVICE, &subject).await;
    }
}

#[tokio::test]
async fn r25_without_a_record_nobody_gets_that_of_the_service() {
    let world = World::new().await;
    world.ue().claiming("val_user_id", json!(CAROL)).is_refused(SERVICE, &user(CAROL), NOTHING).await;
    world.ue().claiming("sub", json!("device-9")).is_refused(SERVICE, &device("device-9"), NOTHING).await;
    world.ue().claiming("client_id", json!("client-9")).is_refused(SERVICE, &client("client-9"), NOTHING).await;
}

/// R26: what a record holds is a matter of the service's operator, who provisions it.
#[tokio::test]
async fn r26_a_payload_is_handed_out_as_it_was_provisioned() {
    let world = World::new().await;
    for text in ["", "{\"k\":\"\\u0000\"}", "<Key xmlns=\"urn:k\">&amp;</Key>", "\u{0}\r\n\t\"\\\u{1f511}", "AAEC/w=="]
    {
        let stored = world.provisioner().puts(SERVICE, text).await;
        assert_eq!(stored.status, 204, "{stored:?}");
        assert_eq!(world.ue().ask(&[]).await.assert_km(200, None)["Payload"], text);
    }
}

#[tokio::test]
async fn r26_who_is_not_of_the_service_provisions_nothing() {
    let world = World::new().await;
    world.provisioner().puts(OTHER_SERVICE, "mine").await.assert_problem(403, "NOT_PERMITTED");
    let val_server = world.val_server().claiming("scope", json!("seal:key-provisioning"));
    val_server.puts(SERVICE, "mine").await.assert_problem(403, "NOT_PERMITTED");
    world.ue().claiming("val_service_ids", json!([OTHER_SERVICE])).gets(OTHER_SERVICE, &Subject::Service).await;
    world.ue().gets(SERVICE, &Subject::Service).await;
}
