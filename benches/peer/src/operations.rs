//! The operations, in the terms of each library.
//!
//! What one side computes ahead, outside the loop, the other may compute ahead too.

use std::hint::black_box;
use std::rc::Rc;

use getrandom::SysRng;
use mikey_sakke::sakke::{EncapsulationKey, ReceiverKey, encapsulate_batch};

use crate::imessage;
use crate::material::{Counter, MESSAGE, Material};

/// Does an operation once; an error ends the run.
pub(crate) type Operation<'a> = Box<dyn FnMut() -> anyhow::Result<()> + 'a>;

/// An operation of both sides.
pub(crate) struct Pair<'a> {
    pub(crate) peer: Operation<'a>,
    pub(crate) ours: Operation<'a>,
    /// How many operations one call of ours does; one of the peer does one.
    pub(crate) batch: u32,
}

impl<'a> Pair<'a> {
    pub(crate) fn new(
        peer: impl FnMut() -> anyhow::Result<()> + 'a,
        ours: impl FnMut() -> anyhow::Result<()> + 'a,
    ) -> Self {
        Self { peer: Box::new(peer), ours: Box::new(ours), batch: 1 }
    }

    /// The same work of the peer, beside a batch of ours.
    pub(crate) fn with_batch(self, ours: impl FnMut() -> anyhow::Result<()> + 'a) -> Self {
        Self { ours: Box::new(ours), batch: BATCH, ..self }
    }
}

/// Operations in a batch.
pub(crate) const BATCH: u32 = 64;

type Prepare = for<'a> fn(&'a Material) -> anyhow::Result<Pair<'a>>;

pub(crate) const OPERATIONS: [(&str, Prepare); 14] = [
    ("sakke-encapsulate", sakke_encapsulate),
    ("sakke-encapsulate-batch", sakke_encapsulate_batch),
    ("sakke-encapsulate-prepared", sakke_encapsulate_prepared),
    ("sakke-encapsulate-prepared-batch", sakke_encapsulate_prepared_batch),
    ("sakke-decapsulate", sakke_decapsulate),
    ("sakke-decapsulate-batch", sakke_decapsulate_batch),
    ("sakke-validate-rsk", sakke_validate_rsk),
    ("sakke-extract", sakke_extract),
    ("sakke-extract-batch", sakke_extract_batch),
    ("eccsi-sign", eccsi_sign),
    ("eccsi-verify", eccsi_verify),
    ("imessage-distribute", imessage::distribute),
    ("imessage-distribute-batch", imessage::distribute_batch),
    ("imessage-extract", imessage::extract),
];

/// Looks at every result of a batch.
pub(crate) fn all<T>(results: impl IntoIterator<Item = Result<T, impl Into<anyhow::Error>>>) -> anyhow::Result<()> {
    results.into_iter().try_for_each(|result| {
        black_box(result.map_err(Into::into)?);
        Ok(())
    })
}

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
    Ok(Pair::new(peer, ours))
}

fn sakke_encapsulate_batch(material: &Material) -> anyhow::Result<Pair<'_>> {
    let public_key = material.z.public_key();
    let mut counter = Counter::default();
    let ours = move || {
        let identities = counter.identities(BATCH)?;
        let recipients: Vec<_> = identities.iter().map(|identity| (&public_key, identity)).collect();
        all(encapsulate_batch(&recipients, &counter.ssv()))
    };
    Ok(sakke_encapsulate(material)?.with_batch(ours))
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
    Ok(Pair::new(peer, ours))
}

/// Ours to as many recipients, the peer to one.
fn sakke_encapsulate_prepared_batch(material: &Material) -> anyhow::Result<Pair<'_>> {
    let mut counter = Counter::default();
    let public_key = material.z.public_key();
    let identities = counter.identities(BATCH)?;
    let keys = identities.iter().map(|identity| EncapsulationKey::new(&public_key, identity));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let ours = move || {
        let keys: Vec<_> = keys.iter().collect();
        all(EncapsulationKey::encapsulate_batch(&keys, &counter.ssv()))
    };
    Ok(sakke_encapsulate_prepared(material)?.with_batch(ours))
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
    Ok(Pair::new(peer, ours))
}

fn sakke_decapsulate_batch(material: &Material) -> anyhow::Result<Pair<'_>> {
    let mut counter = Counter::default();
    let identity = counter.identity()?;
    let public_key = material.z.public_key();
    let key = ReceiverKey::import(&public_key, &identity, material.z.extract(&identity)?.expose())?;
    let encapsulated = (0..BATCH).map(|_| public_key.encapsulate(&identity, &counter.ssv()));
    let encapsulated = encapsulated.collect::<Result<Vec<_>, _>>()?;
    let ours = move || {
        let encapsulated: Vec<&[u8]> = encapsulated.iter().map(|octets| octets.as_slice()).collect();
        all(key.decapsulate_batch(black_box(&encapsulated)))
    };
    Ok(sakke_decapsulate(material)?.with_batch(ours))
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
    Ok(Pair::new(peer, ours))
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
    Ok(Pair::new(peer, ours))
}

fn sakke_extract_batch(material: &Material) -> anyhow::Result<Pair<'_>> {
    let mut counter = Counter::default();
    let ours = move || all(material.z.extract_batch(&counter.identities(BATCH)?));
    Ok(sakke_extract(material)?.with_batch(ours))
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
    Ok(Pair::new(peer, ours))
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
    Ok(Pair::new(peer, ours))
}
