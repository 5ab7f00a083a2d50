//! Whether both libraries agree, before anything is measured.

use anyhow::{Context, ensure};
use getrandom::SysRng;
use mikey_sakke::eccsi::Signature;
use mikey_sakke::sakke::ReceiverKey;

use crate::material::{Counter, MESSAGE, Material};

/// What each library makes, the other has to accept; the error is the first disagreement.
///
/// Gives the octets of the tables that wolfSSL prepares for SAKKE; a build without `--enable-sp` has none.
pub(crate) fn agree(material: &Material) -> anyhow::Result<u32> {
    eccsi(material)?;
    sakke(material)
}

fn sakke(material: &Material) -> anyhow::Result<u32> {
    let mut counter = Counter::default();
    let identity = counter.identity()?;
    let public_key = material.z.public_key();
    let rsk = material.z.extract(&identity)?;
    ensure!(material.peer_kms()?.extract(&identity)? == *rsk.expose(), "the RSKs of one identity differ");

    let receiver = ReceiverKey::import(&public_key, &identity, rsk.expose())?;
    let mut peer = material.peer_sakke()?;
    peer.validate(&identity, rsk.expose()).context("wolfSSL rejects the RSK")?;
    peer.prepare_identity(&identity)?;
    peer.set_rsk(rsk.expose())?;

    let ssv = counter.ssv();
    let from_peer = peer.encapsulate(ssv.expose())?;
    let received = receiver.decapsulate(&from_peer).context("ours rejects what wolfSSL encapsulated")?;
    ensure!(received == ssv, "ours decapsulates another SSV than wolfSSL encapsulated");

    let ssv = counter.ssv();
    let from_ours = public_key.encapsulate(&identity, &ssv)?;
    let received = peer.decapsulate(&from_ours).context("wolfSSL rejects what ours encapsulated")?;
    ensure!(received == *ssv.expose(), "wolfSSL decapsulates another SSV than ours encapsulated");
    Ok(peer.table_octets())
}

fn eccsi(material: &Material) -> anyhow::Result<()> {
    let identity = Counter::default().identity()?;
    let (pair, key) = material.signer(&identity)?;
    let mut peer = material.peer_eccsi()?;
    peer.set_pair(&identity, pair.ssk.expose(), &pair.pvt).context("wolfSSL rejects the signer's pair")?;

    let from_peer = peer.sign(MESSAGE)?;
    Signature::try_from(from_peer.as_slice())
        .and_then(|signature| key.verifying_key().verify(MESSAGE, &signature))
        .context("ours rejects the signature of wolfSSL")?;

    let from_ours = key.sign(MESSAGE, &mut SysRng)?;
    peer.verify(&identity, MESSAGE, from_ours.as_octets()).context("wolfSSL rejects the signature of ours")
}
