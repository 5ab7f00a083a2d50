//! The operations, in the terms of each library.
//!
//! What one side computes ahead, outside the loop, the other may compute ahead too.

use std::hint::black_box;
use std::rc::Rc;

use getrandom::SysRng;
use mikey_sakke::sakke::{EncapsulationKey, ReceiverKey};

use crate::material::{Counter, MESSAGE, Material};

/// Does an operation once; an error ends the run.
pub(crate) type Operation<'a> = Box<dyn FnMut() -> anyhow::Result<()> + 'a>;

/// An operation of both sides.
pub(crate) struct Pair<'a> {
    pub(crate) peer: Operation<'a>,
    pub(crate) ours: Operation<'a>,
}

type Prepare = for<'a> fn(&'a Material) -> anyhow::Result<Pair<'a>>;

pub(crate) const OPERATIONS: [(&str, Prepare); 7] = [
    ("sakke-encapsulate", sakke_encapsulate),
    ("sakke-encapsulate-prepared", sakke_encapsulate_prepared),
    ("sakke-decapsulate", sakke_decapsulate),
    ("sakke-validate-rsk", sakke_validate_rsk),
    ("sakke-extract", sakke_extract),
    ("eccsi-sign", eccsi_sign),
    ("eccsi-verify", eccsi_verify),
];

fn sakke_encapsulate(material: &Material) -> anyhow::Result<Pair<'_>> {
    let mut client = material.peer_sakke()?;
    let mut counter = Counter::default();
    let peer = move || {
        client.set_identity(&counter.identity()?)?;
        black_box(client.encapsulate(counter.ssv().expose())?);
        Ok(())
    };
    let public_key = material.z.public_key();
    let mut counter = Counter::default();
    let ours = move || {
        black_box(public_key.encapsulate(&counter.identity()?, &counter.ssv())?);
        Ok(())
    };
    Ok(Pair { peer: Box::new(peer), ours: Box::new(ours) })
}

fn sakke_encapsulate_prepared(material: &Material) -> anyhow::Result<Pair<'_>> {
    let identity = Counter::default().identity()?;
    let mut client = material.peer_sakke()?;
    client.prepare_identity(&identity)?;
    let mut counter = Counter::default();
    let peer = move || {
        black_box(client.encapsulate(counter.ssv().expose())?);
        Ok(())
    };
    let key = EncapsulationKey::new(&material.z.public_key(), &identity)?;
    let mut counter = Counter::default();
    let ours = move || {
        black_box(key.encapsulate(&counter.ssv())?);
        Ok(())
    };
    Ok(Pair { peer: Box::new(peer), ours: Box::new(ours) })
}

fn sakke_decapsulate(material: &Material) -> anyhow::Result<Pair<'_>> {
    let mut counter = Counter::default();
    let identity = counter.identity()?;
    let rsk = material.z.extract(&identity)?;
    let encapsulated = material.z.public_key().encapsulate(&identity, &counter.ssv())?;
    let mut client = material.peer_sakke()?;
    client.prepare_identity(&identity)?;
    client.set_rsk(rsk.expose())?;
    let peer = move || {
        black_box(client.decapsulate(black_box(&encapsulated))?);
        Ok(())
    };
    let key = ReceiverKey::import(&material.z.public_key(), &identity, rsk.expose())?;
    let ours = move || {
        black_box(key.decapsulate(black_box(&encapsulated))?);
        Ok(())
    };
    Ok(Pair { peer: Box::new(peer), ours: Box::new(ours) })
}

fn sakke_validate_rsk(material: &Material) -> anyhow::Result<Pair<'_>> {
    let public_key = material.z.public_key();
    let identity = Counter::default().identity()?;
    let rsk = material.z.extract(&identity)?;
    let mut client = material.peer_sakke()?;
    let peer = {
        let (identity, rsk) = (identity.clone(), rsk.clone());
        move || client.validate(&identity, black_box(rsk.expose()))
    };
    let ours = move || {
        black_box(ReceiverKey::import(&public_key, &identity, black_box(rsk.expose()))?);
        Ok(())
    };
    Ok(Pair { peer: Box::new(peer), ours: Box::new(ours) })
}

fn sakke_extract(material: &Material) -> anyhow::Result<Pair<'_>> {
    let mut kms = material.peer_kms()?;
    let mut counter = Counter::default();
    let peer = move || {
        black_box(kms.extract(&counter.identity()?)?);
        Ok(())
    };
    let mut counter = Counter::default();
    let ours = move || {
        black_box(material.z.extract(&counter.identity()?)?);
        Ok(())
    };
    Ok(Pair { peer: Box::new(peer), ours: Box::new(ours) })
}

fn eccsi_sign(material: &Material) -> anyhow::Result<Pair<'_>> {
    let identity = Counter::default().identity()?;
    let (pair, key) = material.signer(&identity)?;
    let mut client = material.peer_eccsi()?;
    client.set_pair(&identity, pair.ssk.expose(), &pair.pvt)?;
    let mut counter = Counter::default();
    let peer = move || {
        black_box(client.sign(&counter.message())?);
        Ok(())
    };
    let mut counter = Counter::default();
    let ours = move || {
        black_box(key.sign(&counter.message(), &mut SysRng)?);
        Ok(())
    };
    Ok(Pair { peer: Box::new(peer), ours: Box::new(ours) })
}

/// Distinct signers, so that no table of a signer's point can be reused.
fn eccsi_verify(material: &Material) -> anyhow::Result<Pair<'_>> {
    const SIGNERS: usize = 1_024;
    let mut counter = Counter::default();
    let signed = (0..SIGNERS)
        .map(|_| {
            let (key, signature) = material.signed(&counter.identity()?)?;
            Ok((key.identity().clone(), key.verifying_key(), signature))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let signed = Rc::new(signed);
    let mut client = material.peer_eccsi()?;
    let peer = {
        let signed = Rc::clone(&signed);
        let mut turn = (0..SIGNERS).cycle();
        move || {
            let (identity, _, signature) = &signed[turn.next().unwrap_or_default()];
            client.verify(identity, black_box(MESSAGE), signature.as_octets())
        }
    };
    let mut turn = (0..SIGNERS).cycle();
    let ours = move || {
        let (_, key, signature) = &signed[turn.next().unwrap_or_default()];
        Ok(key.verify(black_box(MESSAGE), signature)?)
    };
    Ok(Pair { peer: Box::new(peer), ours: Box::new(ours) })
}
