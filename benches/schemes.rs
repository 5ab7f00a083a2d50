//! The schemes and the I_MESSAGE, alone and in batches: with the feature `hazmat` under every backend that the
//! processor has, else under the fastest.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::eccsi::{Ksak, SigningKey};
use mikey_sakke::identity::{KeyPeriod, Uid, UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Profile, Recipient, Responder};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::mikey::Message;
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, ReceiverKey, Ssv, encapsulate_batch};
use mikey_sakke::time::Timestamp;

/// Identities in a batch.
const BATCH: u64 = 64;

fn sakke(criterion: &mut Criterion, backend: &str) -> Result<(), Error> {
    let z = MasterSecret::generate(&mut SysRng)?;
    let public_key = z.public_key();
    let identity = Uid::from_octets(b"2026-11\0tel:+447700900123\0")?;
    let rsk = z.extract(&identity)?;
    let recipient = EncapsulationKey::new(&public_key, &identity)?;
    let receiver = ReceiverKey::import(&public_key, &identity, rsk.expose())?;
    let ssv = Ssv::new([7; 16]);
    let encapsulated = recipient.encapsulate(&ssv)?;
    let member = |number| Uid::from_octets(format!("2026-11\0tel:+4477{number:08}\0").as_bytes());
    let identities = (0..BATCH).map(member).collect::<Result<Vec<_>, _>>()?;
    let recipients: Vec<_> = identities.iter().map(|identity| (&public_key, identity)).collect();
    let prepared = identities.iter().map(|identity| EncapsulationKey::new(&public_key, identity));
    let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
    let prepared: Vec<_> = prepared.iter().collect();
    let to_one = (0..BATCH).map(|number| recipient.encapsulate(&Ssv::new(u128::from(number).to_be_bytes())));
    let to_one = to_one.collect::<Result<Vec<_>, _>>()?;
    let to_one: Vec<&[u8]> = to_one.iter().map(|encapsulated| &encapsulated[..]).collect();

    let mut group = criterion.benchmark_group(format!("sakke, {backend}"));
    group.bench_function("extract", |bencher| bencher.iter(|| z.extract(black_box(&identity))));
    group.bench_function("validate", |bencher| {
        bencher.iter(|| ReceiverKey::import(&public_key, &identity, black_box(rsk.expose())));
    });
    group.bench_function("encapsulate", |bencher| {
        bencher.iter(|| public_key.encapsulate(black_box(&identity), black_box(&ssv)));
    });
    group.bench_function("encapsulate, prepared", |bencher| bencher.iter(|| recipient.encapsulate(black_box(&ssv))));
    group.bench_function("decapsulate", |bencher| bencher.iter(|| receiver.decapsulate(black_box(&encapsulated))));
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("extract, batch", |bencher| bencher.iter(|| z.extract_batch(black_box(&identities))));
    group.bench_function("encapsulate, batch", |bencher| {
        bencher.iter(|| encapsulate_batch(black_box(&recipients), black_box(&ssv)));
    });
    group.bench_function("encapsulate, prepared, batch", |bencher| {
        bencher.iter(|| EncapsulationKey::encapsulate_batch(black_box(&prepared), black_box(&ssv)));
    });
    group.bench_function("decapsulate, batch", |bencher| {
        bencher.iter(|| receiver.decapsulate_batch(black_box(&to_one)));
    });
    group.finish();
    Ok(())
}

fn eccsi(criterion: &mut Criterion, backend: &str) -> Result<(), Error> {
    let ksak = Ksak::generate(&mut SysRng)?;
    let identity = Uid::from_octets(b"2026-11\0tel:+447700900123\0")?;
    let pair = ksak.issue(&identity, &mut SysRng)?;
    let key = SigningKey::import(&ksak.kpak(), &identity, pair.ssk.expose(), &pair.pvt)?;
    let signature = key.sign(b"message", &mut SysRng)?;
    let verifying_key = key.verifying_key();

    let mut group = criterion.benchmark_group(format!("eccsi, {backend}"));
    group.bench_function("sign", |bencher| bencher.iter(|| key.sign(black_box(b"message"), &mut SysRng)));
    group.bench_function("verify", |bencher| {
        bencher.iter(|| verifying_key.verify(black_box(b"message"), black_box(&signature)));
    });
    group.finish();
    Ok(())
}

fn kms(criterion: &mut Criterion, backend: &str) -> Result<(), Error> {
    let kms = Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(2_592_000, 0)?, &mut SysRng)?;
    let user = |number| Uri::parse(&format!("sip:member{number}@example.org"));
    let users = (0..BATCH).map(user).collect::<Result<Vec<_>, _>>()?;
    let users: Vec<_> = users.iter().map(|user| (user, KeyPeriod::Number(1532))).collect();

    let mut group = criterion.benchmark_group(format!("kms, {backend}"));
    group.bench_function("issue", |bencher| {
        bencher.iter(|| kms.issue(black_box(users[0].0), users[0].1, &mut SysRng));
    });
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("issue, batch", |bencher| bencher.iter(|| kms.issue_batch(black_box(&users), &mut SysRng)));
    group.finish();
    Ok(())
}

fn imessage(criterion: &mut Criterion, backend: &str) -> Result<(), Error> {
    let now = Timestamp::from_unix(1_795_000_000)?;
    let kms = Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(2_592_000, 0)?, &mut SysRng)?;
    let period = kms.certificate().uid_format().period_at(now)?;
    let keys_of = |user| {
        let key_set = kms.issue(&Uri::parse(user)?, period, &mut SysRng)?;
        UserKeys::import(kms.certificate(), &key_set).map(Arc::new)
    };
    let (alice, bob) = (keys_of("sip:alice@example.org")?, keys_of("sip:bob@example.org")?);
    let recipient = Recipient { user: bob.user().clone(), certificate: kms.certificate().clone() };
    let bundle = KeyBundle::generate(Profile::ts33180_pck(), &mut SysRng)?;
    let initiator = Initiator::new(alice);
    let message = initiator.distribute(&bundle, &recipient, now, &mut SysRng)?;
    let mut fresh = Responder::new(bob, Policy::default());
    fresh.trust(kms.certificate().clone())?;

    let mut group = criterion.benchmark_group(format!("imessage, {backend}"));
    group.bench_function("distribute", |bencher| {
        bencher.iter(|| initiator.distribute(&bundle, black_box(&recipient), now, &mut SysRng));
    });
    group.bench_function("extract", |bencher| bencher.iter(|| fresh.clone().extract(black_box(&message), now)));
    group.bench_function("decode", |bencher| bencher.iter(|| Message::decode(black_box(&message))));
    let decoded = Message::decode(&message)?;
    group.bench_function("encode", |bencher| bencher.iter(|| black_box(&decoded).encode()));

    let member = |number| Uri::parse(&format!("sip:member{number}@example.org"));
    let member = |number| Ok(Recipient { user: member(number)?, certificate: kms.certificate().clone() });
    let members = (0..BATCH).map(member).collect::<Result<Vec<_>, Error>>()?;
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("distribute, batch", |bencher| {
        bencher.iter(|| initiator.distribute_to_group(&bundle, black_box(&members), now, &mut SysRng).count());
    });
    group.finish();
    Ok(())
}

fn under(criterion: &mut Criterion, backend: &str) {
    for benches in [sakke, eccsi, kms, imessage] {
        benches(criterion, backend).expect("fixed inputs are valid");
    }
}

#[cfg(feature = "hazmat")]
fn all(criterion: &mut Criterion) {
    use mikey_sakke::hazmat::backend::{Backend, select};
    for backend in Backend::ALL {
        if select(backend).is_ok() {
            under(criterion, backend.name());
        }
    }
}

#[cfg(not(feature = "hazmat"))]
fn all(criterion: &mut Criterion) {
    under(criterion, "fastest backend");
}

criterion_group!(benches, all);
criterion_main!(benches);
