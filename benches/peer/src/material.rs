//! Key material that both libraries work with.

use getrandom::SysRng;
use mikey_sakke::eccsi::{Ksak, Signature, SigningKey, SigningPair};
use mikey_sakke::identity::{Uid, Uri};
use mikey_sakke::sakke::{MasterSecret, Ssv};

use crate::wolfssl::{Eccsi, Sakke, SakkeKey};

/// What a signer signs.
pub(crate) const MESSAGE: &[u8] = b"message";

/// One key management server, made by ours.
pub(crate) struct Material {
    pub(crate) z: MasterSecret,
    pub(crate) ksak: Ksak,
}

impl Material {
    pub(crate) fn generate() -> anyhow::Result<Self> {
        Ok(Self { z: MasterSecret::generate(&mut SysRng)?, ksak: Ksak::generate(&mut SysRng)? })
    }

    /// wolfSSL's form of the SAKKE key management server.
    pub(crate) fn peer_kms(&self) -> anyhow::Result<Sakke> {
        let mut key: SakkeKey = [0; 384];
        let (secret, public) = key.split_at_mut(128);
        secret.copy_from_slice(self.z.to_octets().expose());
        public.copy_from_slice(&self.z.public_key().to_octets()[1..]);
        Sakke::kms(&key)
    }

    /// wolfSSL's form of a SAKKE client.
    pub(crate) fn peer_sakke(&self) -> anyhow::Result<Sakke> {
        Sakke::client(&self.z.public_key().to_octets())
    }

    /// wolfSSL's form of an ECCSI client.
    pub(crate) fn peer_eccsi(&self) -> anyhow::Result<Eccsi> {
        Eccsi::client(&self.ksak.kpak().to_octets())
    }

    /// A signer's pair, and the key of ours that it makes.
    pub(crate) fn signer(&self, identity: &Uid) -> anyhow::Result<(SigningPair, SigningKey)> {
        let pair = self.ksak.issue(identity, &mut SysRng)?;
        let key = SigningKey::import(&self.ksak.kpak(), identity, pair.ssk.expose(), &pair.pvt)?;
        Ok((pair, key))
    }

    /// A signer and its signature of [`MESSAGE`].
    pub(crate) fn signed(&self, identity: &Uid) -> anyhow::Result<(SigningKey, Signature)> {
        let (_, key) = self.signer(identity)?;
        let signature = key.sign(MESSAGE, &mut SysRng)?;
        Ok((key, signature))
    }
}

/// Distinct values, one after the other.
#[derive(Default)]
pub(crate) struct Counter(u64);

impl Counter {
    pub(crate) const fn number(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    /// A hashed UID, 32 octets: the time that wolfSSL takes depends on the length of an identity, that of ours does
    /// not.
    pub(crate) fn identity(&mut self) -> anyhow::Result<Uid> {
        let user = Uri::parse(&format!("sip:member{}@example.org", self.number()))?;
        Ok(Uid::hashed(&user, &Uri::parse("kms.example.org")?, 2_592_000, 0, 1_545)?)
    }

    pub(crate) fn identities(&mut self, count: u32) -> anyhow::Result<Vec<Uid>> {
        (0..count).map(|_| self.identity()).collect()
    }

    pub(crate) fn ssv(&mut self) -> Ssv {
        Ssv::new(u128::from(self.number()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
    }

    pub(crate) fn message(&mut self) -> [u8; 8] {
        self.number().to_be_bytes()
    }
}
