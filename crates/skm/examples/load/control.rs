//! What the service is compared with: the same listener, one signature that is verified, one row that is stored.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use mikey_sakke::time::Timestamp;
use skm::audit::{Action, Event, Outcome};
use skm::limits::Rate;
use skm::store::Store;
use skm::tls::{ClientAuth, ListenerSettings, Tls, TlsListener};

use crate::site::Site;

/// The name of the control in the audit log.
const NAME: &str = "sip:control.example.org";

/// Octets of a body, at most.
const MAX_BODY: usize = 65_536;

struct Control {
    issuer: ParsedPublicKey,
    store: Store,
}

/// Serves until `stop`.
pub(crate) async fn run(site: &Site, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let control = Control { issuer: public_key(&site.tokens.jwks())?, store: site.store(NAME).await? };
    let router = Router::new().fallback(answer).with_state(Arc::new(control));
    let router = TowerToHyperService::new(router);
    let tls = Arc::new(Tls::new(site.config.tls.clone(), ClientAuth::Demanded)?);
    let settings = ListenerSettings {
        handshakes_per_address: site.config.limits.handshakes_per_address,
        rate_per_address: Rate { per_second: u32::MAX, burst: u32::MAX },
        ..ListenerSettings::default()
    };
    let address = site.config.listen.km_s.context("no listener km_s")?;
    let mut listener = TlsListener::bind(address, tls, settings).await?;
    println!("{}", listener.address());
    let serve = async {
        loop {
            let Ok(stream) = listener.accept().await.1 else { continue };
            let router = router.clone();
            tokio::spawn(async move {
                // A connection ends with an error if its client just goes.
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), router).await;
            });
        }
    };
    tokio::select! {
        () = serve => unreachable!("it accepts for ever"),
        () = stop => Ok(()),
    }
}

async fn answer(State(control): State<Arc<Control>>, headers: HeaderMap, body: Body) -> (StatusCode, &'static str) {
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return (StatusCode::BAD_REQUEST, "no body") };
    match control.work(&headers, &body).await {
        Some(()) => (StatusCode::OK, "done"),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    }
}

impl Control {
    async fn work(&self, headers: &HeaderMap, body: &Bytes) -> Option<()> {
        let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let (message, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.issuer.verify_sig(message.as_bytes(), &signature).ok()?;
        let event = Event {
            time: Timestamp::now().ok()?,
            principal: "control".into(),
            action: Action::Request,
            target: String::from_utf8_lossy(body).into_owned(),
            period: None,
            outcome: Outcome::Done,
            request_id: String::new(),
        };
        self.store.log(&event).await.ok()
    }
}

/// The only key of a set.
fn public_key(jwks: &str) -> anyhow::Result<ParsedPublicKey> {
    let set: serde_json::Value = serde_json::from_str(jwks)?;
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = set["keys"][0][name].as_str().context("no coordinate")?;
        point.extend(URL_SAFE_NO_PAD.decode(coordinate)?);
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| anyhow!("no key"))
}
