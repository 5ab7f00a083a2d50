//! What the compiler refuses. Each example that must not compile follows one that does and differs from it in the line
//! that matters.
//!
//! # A key that was not checked
//!
//! An RSK opens nothing before it was checked against its identity and KMS.
//!
//! ```no_run
//! # use mikey_sakke::{Error, identity::Uid, sakke::{PublicKey, ReceiverKey, Rsk}};
//! fn open(z: &PublicKey, bob: &Uid, rsk: &Rsk, encapsulated: &[u8]) -> Result<(), Error> {
//!     let key = ReceiverKey::import(z, bob, rsk.expose())?;
//!     key.decapsulate(encapsulated).map(drop).map_err(Error::from)
//! }
//! ```
//! ```compile_fail,E0599
//! # use mikey_sakke::{Error, identity::Uid, sakke::{PublicKey, ReceiverKey, Rsk}};
//! fn open(z: &PublicKey, bob: &Uid, rsk: &Rsk, encapsulated: &[u8]) -> Result<(), Error> {
//!     let key = rsk;
//!     key.decapsulate(encapsulated).map(drop).map_err(Error::from)
//! }
//! ```
//!
//! Neither does SSK sign.
//!
//! ```no_run
//! # use mikey_sakke::{Error, eccsi::{Kpak, Signature, SigningKey, SigningPair}, identity::Uid};
//! fn sign(kpak: &Kpak, alice: &Uid, pair: &SigningPair) -> Result<Signature, Error> {
//!     let key = SigningKey::import(kpak, alice, pair.ssk.expose(), &pair.pvt)?;
//!     key.sign(b"message", &mut getrandom::SysRng)
//! }
//! ```
//! ```compile_fail,E0599
//! # use mikey_sakke::{Error, eccsi::{Kpak, Signature, SigningKey, SigningPair}, identity::Uid};
//! fn sign(kpak: &Kpak, alice: &Uid, pair: &SigningPair) -> Result<Signature, Error> {
//!     let key = pair;
//!     key.sign(b"message", &mut getrandom::SysRng)
//! }
//! ```
//!
//! Keys as they were delivered distribute nothing.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use mikey_sakke::{Error, imessage::Initiator, kms::{KeySet, KmsCertificate, UserKeys}};
//! fn begin(certificate: &Arc<KmsCertificate>, delivered: KeySet) -> Result<Initiator, Error> {
//!     let keys = UserKeys::import(certificate, &delivered)?;
//!     Ok(Initiator::new(Arc::new(keys)))
//! }
//! ```
//! ```compile_fail,E0308
//! # use std::sync::Arc;
//! # use mikey_sakke::{Error, imessage::Initiator, kms::{KeySet, KmsCertificate, UserKeys}};
//! fn begin(certificate: &Arc<KmsCertificate>, delivered: KeySet) -> Result<Initiator, Error> {
//!     let keys = delivered;
//!     Ok(Initiator::new(Arc::new(keys)))
//! }
//! ```
//!
//! # The wrong KMS
//!
//! A signature is verified under KPAK, not under Z, and KMS certificates are trusted as checked certificates only.
//!
//! ```no_run
//! # use mikey_sakke::{eccsi::VerifyingKey, identity::Uid, kms::KmsCertificate};
//! fn verifier(certificate: &KmsCertificate, alice: &Uid) -> VerifyingKey {
//!     VerifyingKey::new(certificate.kpak(), alice)
//! }
//! ```
//! ```compile_fail,E0308
//! # use mikey_sakke::{eccsi::VerifyingKey, identity::Uid, kms::KmsCertificate};
//! fn verifier(certificate: &KmsCertificate, alice: &Uid) -> VerifyingKey {
//!     VerifyingKey::new(certificate.public_key(), alice)
//! }
//! ```
//! ```no_run
//! # use std::sync::Arc;
//! # use mikey_sakke::{error::UsageError, imessage::Responder, kms::KmsCertificate};
//! fn trust(responder: &mut Responder, certificate: KmsCertificate) -> Result<(), UsageError> {
//!     responder.trust(Arc::new(certificate))
//! }
//! ```
//! ```compile_fail,E0308
//! # use std::sync::Arc;
//! # use mikey_sakke::{error::UsageError, imessage::Responder, kms::KmsCertificate};
//! fn trust(responder: &mut Responder, certificate: Vec<u8>) -> Result<(), UsageError> {
//!     responder.trust(Arc::new(certificate))
//! }
//! ```
//!
//! KSAK and z do not change places.
//!
//! ```no_run
//! # use mikey_sakke::{Error, eccsi::Ksak, identity::{UidFormat, Uri}, kms::Kms, sakke::MasterSecret};
//! fn domain(uri: Uri, format: UidFormat, ksak: Ksak, z: MasterSecret) -> Result<Kms, Error> {
//!     Kms::new(uri, format, ksak, z)
//! }
//! ```
//! ```compile_fail,E0308
//! # use mikey_sakke::{Error, eccsi::Ksak, identity::{UidFormat, Uri}, kms::Kms, sakke::MasterSecret};
//! fn domain(uri: Uri, format: UidFormat, ksak: Ksak, z: MasterSecret) -> Result<Kms, Error> {
//!     Kms::new(uri, format, z, ksak)
//! }
//! ```
//!
//! # The keys of another period
//!
//! The period of keys is the one that they were checked for.
//!
//! ```no_run
//! # use mikey_sakke::{identity::KeyPeriod, kms::UserKeys};
//! fn next(keys: UserKeys, period: KeyPeriod) -> bool {
//!     keys.period() == period
//! }
//! ```
//! ```compile_fail,E0616
//! # use mikey_sakke::{identity::KeyPeriod, kms::UserKeys};
//! fn next(mut keys: UserKeys, period: KeyPeriod) -> bool {
//!     keys.period = period; true
//! }
//! ```
//!
//! A recipient is a URI, of which each message makes the identifier of its own time; an identifier of another time is
//! none.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use mikey_sakke::{identity::{Uid, Uri}, imessage::Recipient, kms::KmsCertificate};
//! fn recipient(user: Uri, certificate: Arc<KmsCertificate>) -> Recipient {
//!     Recipient { user, certificate }
//! }
//! ```
//! ```compile_fail,E0308
//! # use std::sync::Arc;
//! # use mikey_sakke::{identity::{Uid, Uri}, imessage::Recipient, kms::KmsCertificate};
//! fn recipient(user: Uid, certificate: Arc<KmsCertificate>) -> Recipient {
//!     Recipient { user, certificate }
//! }
//! ```
//!
//! # A check that is passed over
//!
//! There is no SSV without TEST.
//!
//! ```no_run
//! # use mikey_sakke::{error::Rejected, sakke::{ReceiverKey, Ssv}};
//! fn open(key: &ReceiverKey, encapsulated: &[u8]) -> Result<Ssv, Rejected> {
//!     let ssv: Ssv = key.decapsulate(encapsulated)?;
//!     Ok(ssv)
//! }
//! ```
//! ```compile_fail,E0308
//! # use mikey_sakke::{error::Rejected, sakke::{ReceiverKey, Ssv}};
//! fn open(key: &ReceiverKey, encapsulated: &[u8]) -> Result<Ssv, Rejected> {
//!     let ssv: Ssv = key.decapsulate(encapsulated);
//!     Ok(ssv)
//! }
//! ```
//!
//! A key whose initiator hides is not used before somebody has confirmed who that is.
//!
//! ```no_run
//! # use mikey_sakke::{error::Refusal, identity::Uri, imessage::{DistributedKey, HiddenInitiator}};
//! fn confirm(hidden: DistributedKey<HiddenInitiator>, alice: &Uri) -> Result<DistributedKey, Refusal> {
//!     hidden.confirm(alice)
//! }
//! ```
//! ```compile_fail,E0308
//! # use mikey_sakke::{error::Refusal, identity::Uri, imessage::{DistributedKey, HiddenInitiator}};
//! fn confirm(hidden: DistributedKey<HiddenInitiator>, alice: &Uri) -> Result<DistributedKey, Refusal> {
//!     Ok(hidden)
//! }
//! ```
//!
//! # Secrets that get away
//!
//! A secret is not printed, and not copied by the way.
//!
//! ```no_run
//! # use mikey_sakke::sakke::Ssv;
//! fn show(ssv: &Ssv) -> String {
//!     format!("{ssv:?}") // Secret
//! }
//! ```
//! ```compile_fail,E0277
//! # use mikey_sakke::sakke::Ssv;
//! fn show(ssv: &Ssv) -> String {
//!     format!("{ssv}")
//! }
//! ```
//! ```no_run
//! # use mikey_sakke::sakke::Ssv;
//! fn twice(ssv: Ssv) -> [Ssv; 2] {
//!     [ssv.clone(), ssv]
//! }
//! ```
//! ```compile_fail,E0382
//! # use mikey_sakke::sakke::Ssv;
//! fn twice(ssv: Ssv) -> [Ssv; 2] {
//!     [ssv, ssv]
//! }
//! ```
//!
//! # A random source for games
//!
//! ```no_run
//! # use mikey_sakke::{Error, sakke::MasterSecret};
//! # use rand_core::{TryCryptoRng, TryRng};
//! fn draw(source: &mut impl TryCryptoRng) -> Result<MasterSecret, Error> {
//!     MasterSecret::generate(source)
//! }
//! ```
//! ```compile_fail,E0277
//! # use mikey_sakke::{Error, sakke::MasterSecret};
//! # use rand_core::{TryCryptoRng, TryRng};
//! fn draw(source: &mut impl TryRng) -> Result<MasterSecret, Error> {
//!     MasterSecret::generate(source)
//! }
//! ```
