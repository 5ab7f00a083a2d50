//! Access tokens of an OpenID provider (`tests/oidc`, under Node): by client credentials, and by authorisation code
//! with PKCE. Without npm there is nothing to test with: that is said, or fails if `MIKEY_SAKKE_REQUIRE_NPM` is set.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Once, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, Url};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http;
use crate::site::{ALICE, SERVICE, Site, VAL, km_request, run};
use crate::support::with;

const RESOURCE: &str = "https://skms.example.org";
const REDIRECT_URI: &str = "http://127.0.0.1/callback";
const SCOPE: &str = "seal:key-management";
const PASSWORD: &str = "a password";
const CLIENT_SECRET: &str = "a client secret";
const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const STATE: &str = "a state";

/// The provider, which ends with its standard input.
struct Provider {
    child: Child,
    /// Open, since it may have more to say.
    _output: BufReader<ChildStdout>,
    issuer: String,
}

impl Provider {
    fn start() -> Option<Self> {
        static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let directory = match INSTALLED.get_or_init(install) {
            Ok(directory) => directory,
            Err(reason) => {
                assert!(std::env::var_os("MIKEY_SAKKE_REQUIRE_NPM").is_none(), "npm unavailable: {reason}");
                static ONCE: Once = Once::new();
                // Not through the macro, whose output tests that pass do not show.
                ONCE.call_once(|| std::io::stdout().write_all(b"SKIPPED: npm unavailable\n").unwrap());
                return None;
            }
        };
        let mut child = Command::new(directory.join("node_modules/.bin/node"))
            .arg("provider.js")
            .current_dir(directory)
            .envs([("RESOURCE", RESOURCE), ("SERVICES", SERVICE), ("PASSWORD", PASSWORD)])
            .envs([("REDIRECT_URI", REDIRECT_URI), ("CLIENT_SECRET", CLIENT_SECRET)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Some(Self { child, _output: output, issuer: ready["issuer"].as_str().unwrap().into() })
    }

    /// A site whose tokens are this provider's, with a record of the service.
    fn site(&self) -> Site {
        let site = Site::new()
            .set("auth", "issuer", &format!("{:?}", self.issuer))
            .set("auth", "audience", &format!("{RESOURCE:?}"))
            .unset("auth", "jwks_file")
            .set("auth", "jwks_url", &format!("{:?}", format!("{}/jwks", self.issuer)));
        site.write("skms.toml", site.config_text());
        site.write("payload", "fleet key material");
        let (config, payload) = (site.path("skms.toml"), site.path("payload"));
        let [config, payload] = [&config, &payload].map(|path| path.to_str().unwrap());
        let put = [
            "provision",
            "put",
            "--service",
            SERVICE,
            "--payload-file",
            payload,
            "--user-uri",
            "sip:fleet@example.org",
        ];
        for of_whom in [&[][..], &["--user", ALICE]] {
            let arguments = [&["--config", config], &put[..], of_whom].concat();
            let (status, _, error) = run(&arguments);
            assert_eq!(status, Some(0), "{error}");
        }
        site
    }

    async fn token(&self, secret: Option<&str>, form: &[(&str, &str)]) -> Result<Value, u16> {
        let request = browser().post(format!("{}/token", self.issuer));
        let request = match secret {
            Some(secret) => request.basic_auth("val-server", Some(secret)),
            None => request,
        };
        let form = Url::parse_with_params("http://form", form).unwrap();
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form.query().unwrap().to_owned()).send().await.unwrap();
        let status = answer.status();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        if status.is_success() { Ok(body) } else { Err(status.as_u16()) }
    }

    /// What comes back to the redirection URI when a user signs in with a password.
    async fn sign_in(&self, user: &str, password: &str) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(CODE_VERIFIER));
        let parameters = [
            ("client_id", "ue"),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", &format!("openid {SCOPE}")),
            ("resource", RESOURCE),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", STATE),
            ("acr_values", "3gpp:acr:password"),
        ];
        let mut next = Url::parse_with_params(&format!("{}/auth", self.issuer), parameters).unwrap();
        let form = Url::parse_with_params("http://form", [("user", user), ("password", password)]).unwrap();
        let (browser, mut cookies) = (browser(), Vec::new());
        while !next.as_str().starts_with(REDIRECT_URI) {
            let request = match next.path().starts_with("/interaction/") {
                true => browser.post(next.clone()).body(form.query().unwrap().to_owned()),
                false => browser.get(next.clone()),
            };
            let answer = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
            assert_eq!(answer.status(), 303, "{next}");
            keep(&mut cookies, &answer);
            next = next.join(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
        }
        next
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn install() -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oidc");
    let installed = ["node_modules/.bin/node", "node_modules/oidc-provider"].map(|path| directory.join(path));
    if !installed.iter().all(|path| path.exists()) {
        let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&directory).output();
        let npm = npm.map_err(|error| error.to_string())?;
        if !npm.status.success() {
            return Err(String::from_utf8_lossy(&npm.stderr).into_owned());
        }
    }
    Ok(directory)
}

/// A browser that leaves cookies and redirections to the test.
fn browser() -> Client {
    let tls = ClientConfig::builder_with_provider(skm::tls::provider()).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let builder = Client::builder().tls_backend_preconfigured(tls).no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Takes in the cookies of an answer, each in the place of an earlier one of its name.
fn keep(cookies: &mut Vec<String>, answer: &Response) {
    for cookie in answer.headers().get_all(SET_COOKIE) {
        let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
        let name = &cookie[..=cookie.find('=').unwrap()];
        cookies.retain(|kept| !kept.starts_with(name));
        cookies.push(cookie.into());
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_val_server_has_a_token_by_client_credentials() {
    let Some(provider) = Provider::start() else { return };
    let form = [("grant_type", "client_credentials"), ("scope", SCOPE), ("resource", RESOURCE)];
    assert_eq!(provider.token(Some("another secret"), &form).await.unwrap_err(), 401);
    let granted = provider.token(Some(CLIENT_SECRET), &form).await.unwrap();
    let token = granted["access_token"].as_str().unwrap();

    let site = provider.site();
    let server = site.start().await;
    let val_server = http::Client::new(server.addresses.km_s.unwrap(), site.client(VAL.0));
    let answer = val_server.key_request(token, km_request().to_string()).await.assert_km(200, None);
    assert_eq!(answer["Payload"], "fleet key material");
    // Without the certificate of its policy row the token is worth nothing there.
    let other = http::Client::new(server.addresses.km_s.unwrap(), site.client("https://other.example.org"));
    other.key_request(token, km_request().to_string()).await.assert_km(403, Some("04"));
    // It names no user.
    let of_alice = with(km_request(), "UserID", json!(ALICE));
    val_server.key_request(token, of_alice.to_string()).await.assert_km(403, Some("04"));
}

#[tokio::test]
async fn a_user_has_a_token_by_authorisation_code_with_pkce() {
    let Some(provider) = Provider::start() else { return };
    let refused = provider.sign_in(ALICE, "another password").await;
    assert_eq!(parameter(&refused, "error").as_deref(), Some("access_denied"));

    let granted = provider.sign_in(ALICE, PASSWORD).await;
    assert_eq!(parameter(&granted, "state").as_deref(), Some(STATE));
    let code = parameter(&granted, "code").unwrap();
    let form = |code_verifier| {
        let code = code.clone();
        [
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", "ue".to_owned()),
            ("code", code),
            ("redirect_uri", REDIRECT_URI.to_owned()),
            ("resource", RESOURCE.to_owned()),
            ("code_verifier", code_verifier),
        ]
    };
    let exchange = async |verifier: &str| {
        let form = form(verifier.to_owned());
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        provider.token(None, &form).await
    };
    assert_eq!(exchange(&CODE_VERIFIER.to_uppercase()).await.unwrap_err(), 400);
    let granted = exchange(CODE_VERIFIER).await.unwrap();
    let [token, id_token] = ["access_token", "id_token"].map(|name| granted[name].as_str().unwrap());

    let site = provider.site();
    let server = site.start().await;
    let handset = http::Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    let of = |user: &str| with(km_request(), "UserID", json!(user)).to_string();
    let answer = handset.key_request(token, of(ALICE)).await.assert_km(200, None);
    assert_eq!((&answer["Payload"], &answer["UserUri"]), (&json!("fleet key material"), &json!(ALICE)));
    handset.key_request(token, of("sip:bob@example.org")).await.assert_km(403, Some("04"));
    handset.key_request(id_token, of(ALICE)).await.assert_km(401, Some("03"));
}
