//! Time, and requests that come again.

use std::time::Duration;

use mikey_sakke::time::Timestamp;
use serde_json::{Value, json};

use crate::batch::{Case, all};
use crate::http::{Answer, Client, JSON, KM};
use crate::site::{ALICE, SERVICE, Site, VAL, km_request, now};
use crate::world::{
    Expected, FORBIDDEN, GOOD, IDENTITY, MALFORMED, NO_TOKEN, NOTHING, OTHER, World, alice, request, server, ue,
};

/// The window, in seconds.
const WINDOW: i64 = 5;

/// DateTime of a request, in seconds from the time of the server.
const WINDOWS: &[(i64, Expected)] = &[
    (-WINDOW - 1, MALFORMED),
    (-WINDOW, GOOD),
    (-WINDOW + 1, GOOD),
    (-1, GOOD),
    (0, GOOD),
    (1, GOOD),
    (WINDOW - 1, GOOD),
    (WINDOW, GOOD),
    (WINDOW + 1, MALFORMED),
    (60, MALFORMED),
    (-60, MALFORMED),
    (-3600, MALFORMED),
    (3600, MALFORMED),
    (-86_400, MALFORMED),
];

/// DateTime as it is.
const TIMES: &[(&str, u64)] = &[
    ("1970", 0),
    ("a second after 1970", 1),
    ("the end of 31 bits", 2_147_483_647),
    ("the end of 32 bits", 4_294_967_296),
    ("NTP time", 4_004_000_000),
    ("the end of 9999", 253_402_300_799),
    ("10000", 253_402_300_800),
    ("milliseconds", 1_795_000_000_000),
    ("the end of 63 bits", 9_223_372_036_854_775_807),
    ("the end of 64 bits", 18_446_744_073_709_551_615),
];

async fn send(client: &Client, authorization: &str, body: &str) -> Answer {
    client.send("POST", KM, &[JSON, ("authorization", authorization)], body.to_owned()).await
}

#[tokio::test]
async fn windows() {
    let world = World::of(Site::new()).await;
    let client = world.uu();
    for &(apart, expected) in WINDOWS {
        // Again, if the second has changed on the way.
        let answer = loop {
            let at = now();
            let body = request(&[("DateTime", json!(at.checked_add_signed(apart).unwrap()))]).to_string();
            let answer = send(&client, &world.alice(), &body).await;
            if answer.json()["DateTime"] == at {
                break answer;
            }
        };
        world.check_km(&format!("{apart} s"), &answer, expected);
    }
    let cases = TIMES.iter().map(|(name, at)| {
        let body = request(&[("DateTime", json!(at))]).to_string();
        Case::km(name, &client, world.alice(), body.into(), MALFORMED)
    });
    for answer in world.run(cases).await {
        // By which a client whose clock is wrong may set it.
        let told = answer.json()["DateTime"].as_u64().unwrap();
        assert!(told.abs_diff(now()) < 60, "{answer:?}");
    }
    world.finish(20).await;
}

/// The same request again in other octets.
fn others_of(body: &Value) -> Vec<(&'static str, String)> {
    let text = body.to_string();
    let (service, at) = (body["ServiceID"].as_str().unwrap(), &body["DateTime"]);
    let reversed =
        format!(r#"{{"DateTime":{at},"ServiceID":"{service}","SKmsUri":"sip:skms.example.org","Version":"1.0.0"}}"#);
    vec![
        ("as it was", text.clone()),
        ("with white space", format!(" {}\r\n", text.replace(',', " ,\t"))),
        ("in another order", reversed),
        ("with a member that is not known", text.replacen('{', r#"{"x":1,"#, 1)),
        ("with escapes", text.replace("urn", r"\u0075rn")),
        ("with names in escapes", text.replace("ServiceID", r"Service\u0049D")),
    ]
}

#[tokio::test]
async fn replays() {
    let world = World::new().await;
    let client = world.uu();
    let authorization = world.alice();
    let body = km_request();
    let first = body.to_string();
    world.check_km("without a token", &send(&client, "Bearer x", &first).await, NO_TOKEN);
    world.check_km("first", &send(&client, &authorization, &first).await, GOOD);
    for (name, text) in others_of(&body) {
        world.check_km(name, &send(&client, &authorization, &text).await, FORBIDDEN);
    }
    let scheme = authorization.replace("Bearer ", "bearer   ");
    world.check_km("with another spelling of the scheme", &send(&client, &scheme, &first).await, FORBIDDEN);
    world.check_km("on another connection", &send(&world.uu(), &authorization, &first).await, FORBIDDEN);
    let older = Client::http1(world.server.address("km_uu"), world.anonymous());
    world.check_km("over another version of HTTP", &send(&older, &authorization, &first).await, FORBIDDEN);
    let query =
        client.send("POST", &format!("{KM}?x=y"), &[JSON, ("authorization", &authorization)], first.clone()).await;
    world.check_km("with a query", &query, FORBIDDEN);
    world.check_km("with another token of the same claims", &send(&client, &world.alice(), &first).await, GOOD);
    let stolen = world.bearer(&ue(ALICE, "client-9", "device-9", &[SERVICE]));
    world.check_km("with the token of another client", &send(&client, &stolen, &first).await, GOOD);
    for (name, member, value, expected) in [
        ("for the user", "UserID", json!(ALICE), GOOD),
        ("for the client", "ClientID", json!("client-1"), GOOD),
        ("for the device", "DeviceID", json!("device-7"), GOOD),
        ("for another user", "UserID", json!("sip:bob@example.org"), FORBIDDEN),
        ("for another service", "ServiceID", json!(OTHER), FORBIDDEN),
        ("for identity keys", "ServiceID", json!(IDENTITY), NOTHING),
        ("for identity keys again", "ServiceID", json!(IDENTITY), FORBIDDEN),
        ("a second later", "DateTime", json!(body["DateTime"].as_u64().unwrap() + 1), GOOD),
        ("for the user again", "UserID", json!(ALICE), FORBIDDEN),
    ] {
        let mut changed = body.clone();
        changed[member] = value;
        world.check_km(name, &send(&client, &authorization, &changed.to_string()).await, expected);
    }
    refused_and_then_good(&world, &client).await;
    at_once(&world, &client).await;
    elsewhere(&world).await;
    world.finish(25).await;
}

/// What was refused for another reason is no earlier request.
async fn refused_and_then_good(world: &World, client: &Client) {
    let (authorization, body) = (world.alice(), km_request().to_string());
    let text = [("content-type", "text/plain"), ("authorization", &authorization)];
    world.check_km("as text", &client.send("POST", KM, &text, body.clone()).await, (415, "04"));
    world.check_km("malformed", &send(client, &authorization, &format!("{body}x")).await, MALFORMED);
    world.check_km("and then well", &send(client, &authorization, &body).await, GOOD);
}

/// Of the same request many times at once, one is answered.
async fn at_once(world: &World, client: &Client) {
    for service in [SERVICE, IDENTITY] {
        let (authorization, mut body) = (world.alice(), request(&[("ServiceID", json!(service))]));
        if service == IDENTITY {
            body["UserID"] = ALICE.into();
        }
        let body = body.to_string();
        let answers = all((0..20).map(|_| send(client, &authorization, &body)).collect()).await;
        let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        world.case(service, || assert_eq!((good.len(), refused.len()), (1, 19)));
        for answer in refused {
            world.check_km("at once", answer, FORBIDDEN);
        }
    }
}

/// On other listeners and routes.
async fn elsewhere(world: &World) {
    let (client, authorization, body) =
        (world.mutual("km_s", VAL.0), world.bearer(&server(VAL.1)), km_request().to_string());
    for (name, expected) in [("on KM-S", GOOD), ("on KM-S again", FORBIDDEN)] {
        world.check_km(name, &send(&client, &authorization, &body).await, expected);
    }
    // The retrieval API has no time, so that nothing there is a replay.
    let (client, authorization) = (world.uu(), world.bearer(&alice()));
    for name in ["retrieved", "retrieved again"] {
        let path = format!("/ss-kir/v1/key-records?val-service-id={SERVICE}");
        let answer = client.send("GET", &path, &[("authorization", &authorization)], "").await;
        world.check(name, &answer, GOOD);
    }
}

#[tokio::test]
async fn restarts() {
    let world = World::new().await;
    let (authorization, body) = (world.alice(), km_request().to_string());
    world.check_km("first", &send(&world.uu(), &authorization, &body).await, GOOD);
    let world = world.restart(|site| site);
    world.check_km("after a restart", &send(&world.uu(), &authorization, &body).await, FORBIDDEN);
    world.check_km("with another token", &send(&world.uu(), &world.alice(), &body).await, GOOD);
    // A store that is restored from a backup does not know the last requests, and accepts none for a time.
    let until = now() + 3;
    world.store().await.hold(Timestamp::from_unix(until).unwrap()).await.unwrap();
    let client = world.uu();
    loop {
        let answer = send(&client, &world.alice(), &km_request().to_string()).await;
        let is_held = answer.json()["DateTime"].as_u64().unwrap() < until;
        world.check_km("while it is held", &answer, if is_held { FORBIDDEN } else { GOOD });
        if !is_held {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // With a narrower window what was a replay becomes stale, and nothing in between.
    let (authorization, body) = (world.alice(), km_request());
    let sent = body["DateTime"].as_u64().unwrap();
    world.check_km("under a wide window", &send(&client, &authorization, &body.to_string()).await, GOOD);
    let world = world.restart(|site| site.set("time", "window_seconds", "1"));
    let client = world.uu();
    loop {
        let answer = send(&client, &authorization, &body.to_string()).await;
        let is_stale = answer.json()["DateTime"].as_u64().unwrap() > sent + 1;
        world.check_km("under a narrow window", &answer, if is_stale { MALFORMED } else { FORBIDDEN });
        if is_stale {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.finish(8).await;
}
