//! Whole messages. wolfSSL has no MIKEY: beside a message made stand its encapsulation and signature, beside one
//! accepted its verification and decapsulation.

use std::hint::black_box;
use std::sync::Arc;

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Profile, Recipient, Responder};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::time::Timestamp;

use crate::material::{Counter, MESSAGE, Material};
use crate::operations::{BATCH, Pair, all};

/// A domain of ours, with one user who sends and one who receives.
struct Domain {
    kms: Kms,
    alice: Arc<UserKeys>,
    bob: Arc<UserKeys>,
    bundle: KeyBundle,
    now: Timestamp,
}

impl Domain {
    fn new() -> anyhow::Result<Self> {
        let now = Timestamp::from_unix(1_795_000_000)?;
        let kms = Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(2_592_000, 0)?, &mut SysRng)?;
        let period = kms.certificate().uid_format().period_at(now)?;
        let keys = |user| -> anyhow::Result<Arc<UserKeys>> {
            let key_set = kms.issue(&Uri::parse(user)?, period, &mut SysRng)?;
            Ok(Arc::new(UserKeys::import(kms.certificate(), &key_set)?))
        };
        let (alice, bob) = (keys("sip:alice@example.org")?, keys("sip:bob@example.org")?);
        let bundle = KeyBundle::generate(Profile::ts33180_pck(), &mut SysRng)?;
        Ok(Self { kms, alice, bob, bundle, now })
    }

    fn recipient(&self, user: &str) -> anyhow::Result<Recipient> {
        Ok(Recipient { user: Uri::parse(user)?, certificate: self.kms.certificate().clone() })
    }

    fn new_recipient(&self, counter: &mut Counter) -> anyhow::Result<Recipient> {
        self.recipient(&format!("sip:member{}@example.org", counter.number()))
    }
}

pub(crate) fn distribute(material: &Material) -> anyhow::Result<Pair<'_>> {
    let identity = Counter::default().identity()?;
    let (pair, _) = material.signer(&identity)?;
    let mut signer = material.peer_eccsi()?;
    signer.set_pair(&identity, pair.ssk.expose(), &pair.pvt)?;
    let mut client = material.peer_sakke()?;
    let mut counter = Counter::default();
    let peer = move || {
        client.set_identity(&counter.identity()?)?;
        black_box(client.encapsulate(counter.ssv().expose())?);
        black_box(signer.sign(&counter.message())?);
        Ok(())
    };
    let domain = Domain::new()?;
    let initiator = Initiator::new(domain.alice.clone());
    let mut counter = Counter::default();
    let ours = move || {
        let recipient = domain.new_recipient(&mut counter)?;
        black_box(initiator.distribute(&domain.bundle, &recipient, domain.now, &mut SysRng)?);
        Ok(())
    };
    Ok(Pair::new(peer, ours))
}

pub(crate) fn distribute_batch(material: &Material) -> anyhow::Result<Pair<'_>> {
    let domain = Domain::new()?;
    let initiator = Initiator::new(domain.alice.clone());
    let mut counter = Counter::default();
    let ours = move || {
        let recipients = (0..BATCH).map(|_| domain.new_recipient(&mut counter)).collect::<anyhow::Result<Vec<_>>>()?;
        all(initiator.distribute_to_group(&domain.bundle, &recipients, domain.now, &mut SysRng))
    };
    Ok(distribute(material)?.with_batch(ours))
}

pub(crate) fn extract(material: &Material) -> anyhow::Result<Pair<'_>> {
    let mut counter = Counter::default();
    let (sender, receiver) = (counter.identity()?, counter.identity()?);
    let (_, signature) = material.signed(&sender)?;
    let rsk = material.z.extract(&receiver)?;
    let encapsulated = material.z.public_key().encapsulate(&receiver, &counter.ssv())?;
    let mut verifier = material.peer_eccsi()?;
    let mut client = material.peer_sakke()?;
    client.prepare_identity(&receiver)?;
    client.set_rsk(rsk.expose())?;
    let peer = move || {
        verifier.verify(&sender, black_box(MESSAGE), signature.as_octets())?;
        black_box(client.decapsulate(black_box(&encapsulated))?);
        Ok(())
    };
    let domain = Domain::new()?;
    let to_bob = domain.recipient("sip:bob@example.org")?;
    let message = Initiator::new(domain.alice).distribute(&domain.bundle, &to_bob, domain.now, &mut SysRng)?;
    let mut fresh = Responder::new(domain.bob, Policy::default());
    fresh.trust(domain.kms.certificate().clone())?;
    let ours = move || {
        // A copy of a responder that has not seen the message, so that it is no replay.
        black_box(fresh.clone().extract(black_box(&message), domain.now)?);
        Ok(())
    };
    Ok(Pair::new(peer, ours))
}
