//! A key-encryption key in a token of PKCS #11, such as a hardware security module.
//!
//! The key never leaves the token: data keys are encrypted and decrypted there, with AES-GCM. The token is asked when a
//! store is opened or gets a new data key, and each time from loading the module to unloading it, so that a server that
//! runs has no session to lose, nor one that a process forked from it could share.
//!
//! A token counts wrong PINs, and after a few of them it locks. So no PIN is tried on a token that says that the last
//! one was wrong: a server that is started again and again with a wrong PIN tries it once.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::{DataKey, KEY_OCTETS, KeyEncryptionKey, NONCE_OCTETS, TAG_OCTETS, random};

/// The first octet of a data key that a token wrapped. The nonce follows, then ciphertext and tag.
const FORMAT: u8 = 2;

/// The associated data.
const PURPOSE: &[u8] = b"SKM-S data key";

type Nonce = [u8; NONCE_OCTETS];

/// The bits of a tag.
const TAG_BITS: usize = 8 * TAG_OCTETS;

/// A module is initialised once for the whole process.
static MODULES: Mutex<()> = Mutex::new(());

/// Where a key in a token is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSource {
    /// The library that speaks to the token.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The label of the key, a secret key of AES-256.
    pub key: String,
    /// A file with the PIN of the user, which nobody but its owner may read.
    pub pin_file: PathBuf,
}

/// Why a token does not do what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The library is none, or none of PKCS #11.
    #[error("{0}: no module of PKCS #11: {1}")]
    Module(PathBuf, String),
    /// There is no such token.
    #[error("there is no token {0:?}; is it plugged in, and is that its label?")]
    Absent(String),
    /// Several tokens have this label.
    #[error("there is more than one token {0:?}; give each a label of its own")]
    Ambiguous(String),
    /// The PIN is wrong.
    #[error("token {0:?}: the PIN is wrong; it is not tried again before somebody has logged in with the right one")]
    Pin(String),
    /// The last PIN was wrong, whoever tried it.
    #[error(
        "token {0:?}: the PIN that was tried last was wrong, and none is tried now, as the token would lock; put \
         pin_file right and log in once with another program, as with pkcs11-tool --login --list-objects"
    )]
    Tried(String),
    /// There were too many wrong PINs.
    #[error("token {0:?}: the PIN is locked; its security officer sets a new one")]
    Locked(String),
    /// There is no such key.
    #[error("token {0:?}: there is no secret key {1:?}")]
    NoKey(String, String),
    /// Several keys have this label.
    #[error("token {0:?}: there is more than one secret key {1:?}; give each a label of its own")]
    Keys(String, String),
    /// The key is not fit for its purpose.
    #[error("token {0:?}: the key {1:?} {2}")]
    Unfit(String, String, &'static str),
    /// The token failed.
    #[error("token {0:?}: {1}")]
    Failed(String, String),
}

/// A key in a token, with what opens it.
#[derive(Clone)]
pub(super) struct TokenKey {
    pub(super) source: TokenSource,
    pub(super) pin: Zeroizing<String>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl KeyEncryptionKey for TokenKey {
    fn id(&self) -> String {
        format!("{} in token {}", self.source.key, self.source.token)
    }

    fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, KeyError> {
        let (nonce, encrypted) = self.encrypt(key)?;
        Ok([&[FORMAT], &nonce[..], &encrypted].concat())
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, KeyError> {
        let (&format, rest) = wrapped.split_first().ok_or(KeyError::Wrapped)?;
        let (nonce, encrypted) = rest.split_first_chunk::<NONCE_OCTETS>().ok_or(KeyError::Wrapped)?;
        if format != FORMAT || encrypted.len() != KEY_OCTETS + TAG_OCTETS {
            return Err(KeyError::Wrapped);
        }
        let error = match self.decrypt(*nonce, encrypted)? {
            Ok(key) => return key.as_slice().try_into().map(Zeroizing::new).map_err(|_| KeyError::Wrapped),
            Err(error) => error,
        };
        // Tokens say of what another key encrypted that it is invalid, or that they failed: so see if this one works.
        let (nonce, encrypted) = self.encrypt(&[0; KEY_OCTETS])?;
        Err(if self.decrypt(nonce, &encrypted)?.is_ok() { KeyError::Wrapped } else { self.failed(&error) })
    }
}

impl TokenKey {
    fn encrypt(&self, key: &[u8; KEY_OCTETS]) -> Result<(Nonce, Vec<u8>), KeyError> {
        let mut nonce: Nonce = random()?;
        let encrypted = self.with_key(|session, handle| {
            // Some tokens put a nonce of their own in the place of this one.
            let params = GcmParams::new(&mut nonce, PURPOSE, TAG_BITS.try_into()?)?;
            session.encrypt(&Mechanism::AesGcm(params), handle, key)
        })?;
        encrypted.map(|encrypted| (nonce, encrypted)).map_err(|error| self.failed(&error))
    }

    fn decrypt(&self, mut nonce: Nonce, encrypted: &[u8]) -> Result<Result<Zeroizing<Vec<u8>>, Error>, KeyError> {
        self.with_key(|session, handle| {
            let params = GcmParams::new(&mut nonce, PURPOSE, TAG_BITS.try_into()?)?;
            session.decrypt(&Mechanism::AesGcm(params), handle, encrypted).map(Zeroizing::new)
        })
    }

    /// Does something with the key, in a session that begins and ends here.
    fn with_key<T>(
        &self,
        work: impl FnOnce(&Session, ObjectHandle) -> Result<T, Error>,
    ) -> Result<Result<T, Error>, KeyError> {
        let path = &self.source.module;
        let not_a_module = |error: Error| TokenError::Module(path.clone(), said(&error));
        let _alone = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let module = Pkcs11::new(path).map_err(not_a_module)?;
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(not_a_module)?;
        let result = self.log_in(&module).and_then(|session| {
            let key = self.find(&session)?;
            Ok(work(&session, key))
        });
        // What it says does not matter any more.
        let _ = module.finalize();
        result
    }

    fn log_in(&self, module: &Pkcs11) -> Result<Session, KeyError> {
        let label = &self.source.token;
        let failed = |error: Error| self.failed(&error);
        let slot = self.slot(module)?;
        let info = module.get_token_info(slot).map_err(failed)?;
        if info.user_pin_locked() {
            return Err(TokenError::Locked(label.clone()).into());
        }
        if info.user_pin_count_low() || info.user_pin_final_try() {
            return Err(TokenError::Tried(label.clone()).into());
        }
        let session = module.open_ro_session(slot).map_err(failed)?;
        let pin = AuthPin::new(self.pin.as_str().into());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) => Ok(session),
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)) => {
                Err(TokenError::Pin(label.clone()).into())
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenError::Locked(label.clone()).into()),
            Err(error) => Err(failed(error)),
        }
    }

    /// The slot of the token. A slot whose token cannot say what it is has another.
    fn slot(&self, module: &Pkcs11) -> Result<Slot, KeyError> {
        let label = &self.source.token;
        let slots = module.get_slots_with_token().map_err(|error| self.failed(&error))?;
        let mut found = slots.into_iter().filter(|&slot| {
            module.get_token_info(slot).is_ok_and(|info| info.token_initialized() && info.label() == label)
        });
        let slot = found.next().ok_or_else(|| TokenError::Absent(label.clone()))?;
        match found.next() {
            None => Ok(slot),
            Some(_) => Err(TokenError::Ambiguous(label.clone()).into()),
        }
    }

    /// The key, which is fit for its purpose.
    fn find(&self, session: &Session) -> Result<ObjectHandle, KeyError> {
        let TokenSource { token, key, .. } = &self.source;
        let wanted = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(key.as_bytes().to_vec())];
        let found = session.find_objects(&wanted).map_err(|error| self.failed(&error))?;
        let handle = match found[..] {
            [] => return Err(TokenError::NoKey(token.clone(), key.clone()).into()),
            [handle] => handle,
            _ => return Err(TokenError::Keys(token.clone(), key.clone()).into()),
        };
        let length = KEY_OCTETS.try_into().map_err(|error| self.failed(&error))?;
        let needed = [
            (AttributeType::KeyType, Attribute::KeyType(KeyType::AES), "is none of AES"),
            (AttributeType::ValueLen, Attribute::ValueLen(length), "is not one of 256 bits"),
            (AttributeType::Sensitive, Attribute::Sensitive(true), "can be read (CKA_SENSITIVE); make another"),
            (AttributeType::Extractable, Attribute::Extractable(false), "can leave it (CKA_EXTRACTABLE); make another"),
            (AttributeType::Private, Attribute::Private(true), "needs no PIN (CKA_PRIVATE); make another"),
            (AttributeType::Encrypt, Attribute::Encrypt(true), "must not encrypt (CKA_ENCRYPT)"),
            (AttributeType::Decrypt, Attribute::Decrypt(true), "must not decrypt (CKA_DECRYPT)"),
        ];
        for (kind, value, fault) in needed {
            let present = session.get_attributes(handle, &[kind]).map_err(|error| self.failed(&error))?;
            if present != [value] {
                return Err(TokenError::Unfit(token.clone(), key.clone(), fault).into());
            }
        }
        Ok(handle)
    }

    fn failed(&self, error: &Error) -> KeyError {
        TokenError::Failed(self.source.token.clone(), said(error)).into()
    }
}

/// What the module says, in a few words.
fn said(error: &Error) -> String {
    match error {
        Error::Pkcs11(error, function) => format!("{function:?}: {error:?}"),
        error => error.to_string(),
    }
}
