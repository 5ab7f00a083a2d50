//! wolfSSL's SAKKE and ECCSI, by way of `shim.c`.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::NonNull;

use anyhow::{Context, bail};
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::identity::Uid;
use mikey_sakke::sakke::{ENCAPSULATED_OCTETS, SSV_OCTETS};

/// 04, x, y of SAKKE's curve.
pub(crate) type SakkePoint = [u8; 257];
/// z, Zx, Zy.
pub(crate) type SakkeKey = [u8; 384];
/// 04, x, y of P-256.
pub(crate) type EccsiPoint = [u8; 65];

/// `peer_sakke` of the shim.
#[repr(C)]
struct RawSakke {
    _opaque: [u8; 0],
}

/// `peer_eccsi` of the shim.
#[repr(C)]
struct RawEccsi {
    _opaque: [u8; 0],
}

// Arrays of fixed length pass as references, which C sees as pointers to their first octet.
unsafe extern "C" {
    safe fn wolfSSL_lib_version() -> *const c_char;
    safe fn wc_GetErrorString(error: c_int) -> *const c_char;

    safe fn peer_pin();
    safe fn peer_cpu_seconds() -> f64;

    safe fn peer_sakke_kms(key: &SakkeKey) -> Option<NonNull<RawSakke>>;
    safe fn peer_sakke_client(z: &SakkePoint) -> Option<NonNull<RawSakke>>;
    fn peer_sakke_free(sakke: NonNull<RawSakke>);
    fn peer_sakke_extract(sakke: NonNull<RawSakke>, id: *const u8, octets: u16, rsk: &mut SakkePoint) -> c_int;
    fn peer_sakke_validate(sakke: NonNull<RawSakke>, id: *const u8, octets: u16, rsk: &SakkePoint) -> c_int;
    fn peer_sakke_set_identity(sakke: NonNull<RawSakke>, id: *const u8, octets: u16) -> c_int;
    fn peer_sakke_prepare_identity(sakke: NonNull<RawSakke>, id: *const u8, octets: u16) -> c_int;
    fn peer_sakke_set_rsk(sakke: NonNull<RawSakke>, rsk: &SakkePoint) -> c_int;
    fn peer_sakke_table_octets(sakke: NonNull<RawSakke>) -> u32;
    fn peer_sakke_encapsulate(
        sakke: NonNull<RawSakke>,
        ssv: &[u8; SSV_OCTETS],
        out: &mut [u8; ENCAPSULATED_OCTETS],
    ) -> c_int;
    fn peer_sakke_decapsulate(
        sakke: NonNull<RawSakke>,
        encapsulated: &[u8; ENCAPSULATED_OCTETS],
        ssv: &mut [u8; SSV_OCTETS],
    ) -> c_int;

    safe fn peer_eccsi_client(kpak: &EccsiPoint) -> Option<NonNull<RawEccsi>>;
    fn peer_eccsi_free(eccsi: NonNull<RawEccsi>);
    fn peer_eccsi_set_pair(
        eccsi: NonNull<RawEccsi>,
        id: *const u8,
        id_octets: u16,
        ssk: &[u8; 32],
        pvt: &EccsiPoint,
    ) -> c_int;
    fn peer_eccsi_sign(
        eccsi: NonNull<RawEccsi>,
        message: *const u8,
        message_octets: u32,
        signature: &mut [u8; SIGNATURE_OCTETS],
    ) -> c_int;
    fn peer_eccsi_verify(
        eccsi: NonNull<RawEccsi>,
        id: *const u8,
        id_octets: u16,
        message: *const u8,
        message_octets: u32,
        signature: &[u8; SIGNATURE_OCTETS],
    ) -> c_int;
}

/// The version of the library in use.
pub(crate) fn version() -> String {
    text(wolfSSL_lib_version())
}

/// Keeps this thread on the core that it runs on.
pub(crate) fn pin_to_core() {
    peer_pin();
}

/// Processor time of this thread, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    peer_cpu_seconds()
}

/// A text that lives as long as the library.
fn text(pointer: *const c_char) -> String {
    // SAFETY: Both callers pass what wolfSSL documents as a constant, terminated text.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// The outcome of a function of the shim.
fn outcome(code: c_int) -> anyhow::Result<()> {
    if code != 0 {
        bail!("wolfSSL: {} ({code})", text(wc_GetErrorString(code)));
    }
    Ok(())
}

/// The octets of an identity, and how many.
fn octets(identity: &Uid) -> anyhow::Result<(*const u8, u16)> {
    let octets = identity.as_octets();
    Ok((octets.as_ptr(), octets.len().try_into().context("an identity too long for wolfSSL")?))
}

/// A `SakkeKey`: that of a key management server or of a client.
pub(crate) struct Sakke(NonNull<RawSakke>);

impl Sakke {
    pub(crate) fn kms(key: &SakkeKey) -> anyhow::Result<Self> {
        peer_sakke_kms(key).map(Self).context("wolfSSL does not take the SAKKE key")
    }

    pub(crate) fn client(z: &SakkePoint) -> anyhow::Result<Self> {
        peer_sakke_client(z).map(Self).context("wolfSSL does not take the KMS public key")
    }

    /// Extracts an RSK; for a key management server.
    pub(crate) fn extract(&mut self, identity: &Uid) -> anyhow::Result<SakkePoint> {
        let (id, id_octets) = octets(identity)?;
        let mut rsk = [0; 257];
        // SAFETY: The handle is live and exclusively borrowed; `id` has `id_octets` octets.
        outcome(unsafe { peer_sakke_extract(self.0, id, id_octets, &mut rsk) })?;
        Ok(rsk)
    }

    /// Decodes and validates an RSK.
    pub(crate) fn validate(&mut self, identity: &Uid, rsk: &SakkePoint) -> anyhow::Result<()> {
        let (id, id_octets) = octets(identity)?;
        // SAFETY: The handle is live and exclusively borrowed; `id` has `id_octets` octets.
        outcome(unsafe { peer_sakke_validate(self.0, id, id_octets, rsk) })
    }

    /// Sets the identity that the following calls are for.
    pub(crate) fn set_identity(&mut self, identity: &Uid) -> anyhow::Result<()> {
        let (id, id_octets) = octets(identity)?;
        // SAFETY: The handle is live and exclusively borrowed; `id` has `id_octets` octets and is copied.
        outcome(unsafe { peer_sakke_set_identity(self.0, id, id_octets) })
    }

    /// Sets the identity that the following calls are for, with all that can be computed ahead.
    pub(crate) fn prepare_identity(&mut self, identity: &Uid) -> anyhow::Result<()> {
        let (id, id_octets) = octets(identity)?;
        // SAFETY: The handle is live and exclusively borrowed; `id` has `id_octets` octets and is copied.
        outcome(unsafe { peer_sakke_prepare_identity(self.0, id, id_octets) })
    }

    /// Sets the RSK to decapsulate with, with all that can be computed ahead.
    pub(crate) fn set_rsk(&mut self, rsk: &SakkePoint) -> anyhow::Result<()> {
        // SAFETY: The handle is live and exclusively borrowed.
        outcome(unsafe { peer_sakke_set_rsk(self.0, rsk) })
    }

    /// Octets of the tables that were computed ahead; 0 in a build that has none.
    pub(crate) fn table_octets(&self) -> u32 {
        // SAFETY: The handle is live.
        unsafe { peer_sakke_table_octets(self.0) }
    }

    pub(crate) fn encapsulate(&mut self, ssv: &[u8; SSV_OCTETS]) -> anyhow::Result<[u8; ENCAPSULATED_OCTETS]> {
        let mut encapsulated = [0; ENCAPSULATED_OCTETS];
        // SAFETY: The handle is live and exclusively borrowed.
        outcome(unsafe { peer_sakke_encapsulate(self.0, ssv, &mut encapsulated) })?;
        Ok(encapsulated)
    }

    pub(crate) fn decapsulate(&mut self, encapsulated: &[u8; ENCAPSULATED_OCTETS]) -> anyhow::Result<[u8; SSV_OCTETS]> {
        let mut ssv = [0; SSV_OCTETS];
        // SAFETY: The handle is live and exclusively borrowed.
        outcome(unsafe { peer_sakke_decapsulate(self.0, encapsulated, &mut ssv) })?;
        Ok(ssv)
    }
}

impl Drop for Sakke {
    fn drop(&mut self) {
        // SAFETY: The handle is live, and used no more.
        unsafe { peer_sakke_free(self.0) }
    }
}

/// An `EccsiKey` of a client.
pub(crate) struct Eccsi(NonNull<RawEccsi>);

impl Eccsi {
    pub(crate) fn client(kpak: &EccsiPoint) -> anyhow::Result<Self> {
        peer_eccsi_client(kpak).map(Self).context("wolfSSL does not take the KPAK")
    }

    /// Sets the identity and pair to sign with.
    pub(crate) fn set_pair(&mut self, identity: &Uid, ssk: &[u8; 32], pvt: &EccsiPoint) -> anyhow::Result<()> {
        let (id, id_octets) = octets(identity)?;
        // SAFETY: The handle is live and exclusively borrowed; `id` has `id_octets` octets.
        outcome(unsafe { peer_eccsi_set_pair(self.0, id, id_octets, ssk, pvt) })
    }

    pub(crate) fn sign(&mut self, message: &[u8]) -> anyhow::Result<[u8; SIGNATURE_OCTETS]> {
        let mut signature = [0; SIGNATURE_OCTETS];
        let octets = message.len().try_into().context("a message too long for wolfSSL")?;
        // SAFETY: The handle is live and exclusively borrowed; the message has `octets` octets.
        outcome(unsafe { peer_eccsi_sign(self.0, message.as_ptr(), octets, &mut signature) })?;
        Ok(signature)
    }

    /// Verifies a signature. The pair that was set, if any, is lost.
    pub(crate) fn verify(
        &mut self,
        identity: &Uid,
        message: &[u8],
        signature: &[u8; SIGNATURE_OCTETS],
    ) -> anyhow::Result<()> {
        let (id, id_octets) = octets(identity)?;
        let octets = message.len().try_into().context("a message too long for wolfSSL")?;
        // SAFETY: The handle is live and exclusively borrowed; `id` has `id_octets` octets, the message `octets`.
        outcome(unsafe { peer_eccsi_verify(self.0, id, id_octets, message.as_ptr(), octets, signature) })
    }
}

impl Drop for Eccsi {
    fn drop(&mut self) {
        // SAFETY: The handle is live, and used no more.
        unsafe { peer_eccsi_free(self.0) }
    }
}
