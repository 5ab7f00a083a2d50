//! The client for programs without an asynchronous runtime.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use getrandom::rand_core::TryRng;
use mikey_sakke::documents::KmsCertCache;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::domain::Domain;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ValKeyInfo};
use mikey_sakke::km::{Identifier, Payload, Subject};
use mikey_sakke::time::Timestamp;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::cache::{Due, KeyCache, Steps};
use super::{ClientError, Environment, IdentityKeys, Settings, SettingsError, System, TokenSource};

/// A client of one SKM-S, whose calls block the thread that makes them.
///
/// It has a thread of its own, and may be used inside an asynchronous runtime too, as any call that blocks.
pub struct Client {
    client: Arc<super::Client>,
    runtime: Handle,
    /// Ends the thread when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    ///
    /// [`SettingsError`].
    pub fn new(settings: &Settings, tokens: impl TokenSource + 'static) -> Result<Self, SettingsError> {
        Self::with_environment(settings, tokens, Arc::new(System))
    }

    /// A client with a clock and a random source of its own.
    ///
    /// # Errors
    ///
    /// [`SettingsError`].
    pub fn with_environment(
        settings: &Settings,
        tokens: impl TokenSource + 'static,
        environment: Arc<dyn Environment>,
    ) -> Result<Self, SettingsError> {
        let client = Arc::new(super::Client::with_environment(settings, tokens, environment)?);
        let system = |error: std::io::Error| SettingsError::System(Box::new(error));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(system)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        // The runtime ends on its thread as well: it must not be dropped inside another one.
        let run = move || {
            let _ = runtime.block_on(stopped);
        };
        let thread = std::thread::Builder::new().name("skm-client".to_owned()).spawn(run).map_err(system)?;
        Ok(Self { client, runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    /// As [`Client::now`](super::Client::now).
    ///
    /// # Errors
    ///
    /// [`ClientError::Clock`].
    pub fn now(&self) -> Result<Timestamp, ClientError> {
        self.client.now()
    }

    /// As [`Client::domain`](super::Client::domain).
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn domain(&self) -> Result<Domain, ClientError> {
        self.run(|client| async move { client.domain().await })
    }

    /// As [`Client::record`](super::Client::record).
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn record(&self, service: &Identifier, subject: &Subject) -> Result<Payload, ClientError> {
        let (service, subject) = (service.clone(), subject.clone());
        self.run(|client| async move { client.record(&service, &subject).await })
    }

    /// As [`Client::key_info`](super::Client::key_info).
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn key_info(&self, query: &KeyRecordQuery) -> Result<ValKeyInfo, ClientError> {
        let query = query.clone();
        self.run(|client| async move { client.key_info(&query).await })
    }

    /// As [`Client::identity_keys`](super::Client::identity_keys).
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn identity_keys(&self, user: &Uri, domain: &Domain) -> Result<IdentityKeys, ClientError> {
        let (user, domain) = (user.clone(), domain.clone());
        self.run(|client| async move { client.identity_keys(&user, &domain).await })
    }

    /// As [`Client::cert_cache`](super::Client::cert_cache).
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn cert_cache(&self, user: &Uri, domain: &Domain, known: Option<u64>) -> Result<KmsCertCache, ClientError> {
        let (user, kms) = (user.clone(), domain.kms_uri().clone());
        self.run(|client| async move { client.fetch_certificates(&user, &kms, known).await })
    }

    /// As [`Client::refresh`](super::Client::refresh).
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn refresh<R: TryRng + ?Sized>(
        &self,
        cache: &mut KeyCache,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<(), ClientError> {
        let mut steps = Steps::default();
        loop {
            match steps.next(cache.due(now, rng)?) {
                Due::Nothing => return Ok(()),
                Due::Certificates { kms, known } => {
                    let user = cache.user().clone();
                    let fetched = self.run(|client| async move { client.fetch_certificates(&user, &kms, known).await });
                    cache.take_certificates(fetched)?;
                }
                Due::Domain => cache.take(self.domain()?, None, now, rng)?,
                Due::Keys => {
                    let domain = self.domain()?;
                    let keys = self.identity_keys(cache.user(), &domain)?;
                    cache.take(domain, Some(keys), now, rng)?;
                }
            }
        }
    }

    fn run<T: Send + 'static, F: Future<Output = Result<T, ClientError>> + Send + 'static>(
        &self,
        call: impl FnOnce(Arc<super::Client>) -> F,
    ) -> Result<T, ClientError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let call = call(self.client.clone());
        self.runtime.spawn(async move {
            // Nobody waits for it any more only if the caller's thread is gone.
            let _ = sender.send(call.await);
        });
        receiver.recv().map_err(|_| ClientError::Thread)?
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked only if the runtime has.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.client).finish()
    }
}
