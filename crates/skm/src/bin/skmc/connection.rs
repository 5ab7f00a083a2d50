//! The server, and how to reach it.

use std::path::PathBuf;

use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::secret::Secret;
use skm::client::blocking::Client;
use skm::client::{CacheSettings, Certificate, ClientError, FileToken, KeyCache, Settings};

use crate::asking::{await_next_second, is_of_caller, read};
use crate::fault::Fault;

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Address of the server, as in `https://skms.example.org`
    #[arg(long, value_name = "URL")]
    server: String,
    /// File with the roots of the server's certificate, in PEM
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// File with the access token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// File with a certificate to show to the server and those that lead from it to the root, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// File with the private key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Address of a proxy to go through by CONNECT, as in `http://proxy.example.org:3128`
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// SKmsUri of the server; what the server says if none is given
    #[arg(long, value_name = "URI")]
    skms_uri: Option<Uri>,
}

impl Arguments {
    /// A client that has not connected yet, at the beginning of a second.
    pub(crate) fn client(&self) -> Result<Client, Fault> {
        let mut settings = Settings::new(&self.server, read(&self.root)?);
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            settings.certificate = Some(Certificate { chain: read(cert)?, key: Secret::new(read(key)?) });
        }
        settings.proxy = self.proxy.clone().map(Secret::new);
        settings.skms_uri = self.skms_uri.clone();
        let client = Client::new(&settings, FileToken::new(&self.token_file)).map_err(Fault::usage)?;
        await_next_second();
        Ok(client)
    }
}

/// The keys of a user, fetched now.
pub(crate) fn fetch(client: &Client, user: &Uri) -> Result<KeyCache, Fault> {
    let mut cache = KeyCache::new(user.clone(), CacheSettings::default());
    let now = client.now().map_err(fault)?;
    client.refresh(&mut cache, now, &mut SysRng).map_err(fault)?;
    Ok(cache)
}

/// A fault of the client: of the caller, where nothing was sent.
pub(crate) fn fault(error: ClientError) -> Fault {
    if is_of_caller(&error) { Fault::usage(error) } else { error.into() }
}
