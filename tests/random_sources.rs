//! Whatever draws from a random source ends with a value or an error, however broken the source is.
#![cfg(feature = "km")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt;
use std::sync::{Arc, LazyLock};

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::eccsi::{Ksak, SigningKey};
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, KeyProperties, Keyring, Profile, Purpose, Recipient, SkId};
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::km::exchange::announce;
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::sakke::{MasterSecret, Ssv};
use mikey_sakke::time::Timestamp;
use num_bigint::BigUint;
use rand_core::{TryCryptoRng, TryRng};
use signature::RandomizedSigner;

/// More draws than any operation makes.
const MANY: usize = 1_000;

/// The orders of both schemes.
const ECCSI_Q: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const SAKKE_Q: &str = concat!(
    "265eaec7c2958ff69971846636b4195e905b0338672d20986fa6b8d62cf8068bbd02aac9f8bf03c6c8a1cc354c69672c",
    "39e46ce7fdf222864d5b49fd2999a9b4389b1921cc9ad335144ab173595a07386dabfd2a0c614aa0a9f3cf14870f026a",
    "a7e535abd5a5c7c7ff38fa08e2615f6c203177c42b1eb3a1d99b601ebfaa17fb",
);

#[derive(Debug)]
struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Failure {}

/// Fills the octets of a draw, given its number.
type Give = Box<dyn FnMut(usize, &mut [u8]) -> Result<(), Failure> + Send>;

/// A source that counts its draws.
struct Source {
    draws: usize,
    give: Give,
}

impl Source {
    fn new(give: impl FnMut(usize, &mut [u8]) -> Result<(), Failure> + Send + 'static) -> Self {
        Self { draws: 0, give: Box::new(give) }
    }

    /// The same octets in each draw: by their position from here on.
    fn stuck(octet: impl Fn(usize) -> u8 + Send + 'static) -> Self {
        Self::new(move |_, octets| {
            octets.iter_mut().enumerate().for_each(|(position, filled)| *filled = octet(position));
            Ok(())
        })
    }

    /// What is given, and good octets after it.
    fn beginning_with(draws: Vec<Vec<u8>>) -> Self {
        Self::new(move |number, octets| match draws.get(number) {
            Some(draw) => {
                octets.copy_from_slice(draw);
                Ok(())
            }
            None => good(octets),
        })
    }

    /// Good octets, and then none.
    fn failing_after(draws: usize) -> Self {
        Self::new(move |number, octets| if number < draws { good(octets) } else { Err(Failure) })
    }
}

fn good(octets: &mut [u8]) -> Result<(), Failure> {
    SysRng.try_fill_bytes(octets).map_err(|_| Failure)
}

impl TryRng for Source {
    type Error = Failure;

    fn try_next_u32(&mut self) -> Result<u32, Failure> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets)?;
        Ok(u32::from_be_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Failure> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets)?;
        Ok(u64::from_be_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Failure> {
        self.draws += 1;
        assert!(self.draws < MANY, "it does not end");
        (self.give)(self.draws - 1, octets)
    }
}

impl TryCryptoRng for Source {}

/// A KMS, a user who sends, and whom he sends to.
struct Site {
    kms: Kms,
    initiator: Initiator,
    signing: SigningKey,
    bundle: KeyBundle,
    recipients: Vec<Recipient>,
}

const PERIOD: KeyPeriod = KeyPeriod::Number(1_545);

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

fn format() -> UidFormat {
    UidFormat::hashed(2_592_000, 0).unwrap()
}

fn now() -> Timestamp {
    format().span(PERIOD).unwrap().0
}

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let kms = Kms::generate(uri("kms.example.org"), format(), &mut SysRng).unwrap();
    let alice = kms.issue(&uri("sip:alice@example.org"), PERIOD, &mut SysRng).unwrap();
    let alice = Arc::new(UserKeys::import(kms.certificate(), &alice).unwrap());
    let recipient = |user| Recipient { user: uri(user), certificate: kms.certificate().clone() };
    let recipients = vec![recipient("sip:bob@example.org"), recipient("sip:carol@example.org")];
    let properties =
        KeyProperties { key_type: 1, status: 1, activation: 0, expiry: 0, text: b"text".to_vec(), groups: vec![] };
    let id = SkId::from_octets([0x10, 1, 2, 3]);
    let bundle = KeyBundle::new(Profile::ts33180_pck(), Ssv::new([1; 16]), id, [3; 16]).unwrap();
    let bundle = bundle.with_properties(properties);
    Site { signing: alice.signing().clone(), initiator: Initiator::new(alice), kms, bundle, recipients }
});

/// What an operation makes of a source.
type Operation = fn(&mut Source) -> Result<Vec<u8>, Error>;

/// What makes a secret that is nothing but octets of the source.
const SECRETS: &[(&str, Operation)] = &[
    ("Ksak::generate", |source| Ok(Ksak::generate(source)?.to_octets().expose().to_vec())),
    ("MasterSecret::generate", |source| Ok(MasterSecret::generate(source)?.to_octets().expose().to_vec())),
    ("Kms::generate", |source| {
        let kms = Kms::generate(uri("kms.example.org"), format(), source)?;
        Ok([kms.ksak().to_octets().expose().as_slice(), kms.master_secret().to_octets().expose()].concat())
    }),
    ("KeyBundle::generate", |source| {
        Ok(KeyBundle::generate(Profile::seal(Purpose::MSCCK), source)?.key().expose().to_vec())
    }),
    ("Keyring::generate", |source| {
        let bundle = Keyring::default().generate(&uri("sip:alice@example.org"), &Profile::ts33180_pck(), source)?;
        Ok(bundle.key().expose().to_vec())
    }),
];

/// What makes something that is public, or depends on more than the source.
const OTHERS: &[(&str, Operation)] = &[
    ("SkId::generate", |source| Ok(SkId::generate(Purpose::MSCCK, source)?.to_octets().to_vec())),
    ("Ksak::issue", |source| {
        let uid = SITE.kms.certificate().uid(&uri("sip:bob@example.org"), PERIOD)?;
        Ok(SITE.kms.ksak().issue(&uid, source)?.pvt.to_vec())
    }),
    ("Kms::issue", |source| Ok(SITE.kms.issue(&uri("sip:bob@example.org"), PERIOD, source)?.signing.pvt.to_vec())),
    ("Kms::issue_batch", |source| {
        let users = [uri("sip:bob@example.org"), uri("sip:carol@example.org")];
        let issued = SITE.kms.issue_batch(&users.each_ref().map(|user| (user, PERIOD)), source);
        let pvts = issued.into_iter().map(|keys| Ok(keys?.signing.pvt)).collect::<Result<Vec<_>, Error>>()?;
        assert_ne!(pvts[0], pvts[1], "each user has a PVT of his own");
        Ok(pvts.concat())
    }),
    ("Kms::issue_with", |source| {
        let user = uri("sip:bob@example.org");
        let rsk = SITE.kms.extract_batch(&[(&user, PERIOD)]).remove(0)?;
        Ok(SITE.kms.issue_with(&user, PERIOD, rsk, source)?.signing.pvt.to_vec())
    }),
    ("SigningKey::sign", |source| {
        let signatures = [b"one", b"two"].map(|message| SITE.signing.sign(message, source).map(<[u8; 129]>::from));
        let [one, two] = signatures;
        let (one, two) = (one?, two?);
        assert_ne!(one[..32], two[..32], "each message has a j of its own");
        Ok([one, two].concat())
    }),
    ("RandomizedSigner::try_sign_with_rng", |source| {
        let signature = SITE.signing.try_sign_with_rng(source, b"message").map_err(|_| Error::Random)?;
        Ok(signature.as_octets().to_vec())
    }),
    ("Initiator::distribute", |source| SITE.initiator.distribute(&SITE.bundle, &SITE.recipients[0], now(), source)),
    ("Initiator::distribute_to_group", |source| {
        let messages = SITE.initiator.distribute_to_group(&SITE.bundle, &SITE.recipients, now(), source);
        Ok(messages.collect::<Result<Vec<_>, Error>>()?.concat())
    }),
    #[cfg(feature = "rayon")]
    ("Initiator::par_distribute_to_group", |source| {
        use rayon::iter::ParallelIterator;
        let messages = SITE.initiator.par_distribute_to_group(&SITE.bundle, &SITE.recipients, now(), source);
        Ok(messages.collect::<Result<Vec<_>, Error>>()?.concat())
    }),
    ("km::exchange::announce", |source| {
        let periods = Periods { from: 1_500, to: None };
        let certificate = DomainCertificate::new(SITE.kms.certificate(), periods, None).unwrap();
        let domain = Domain::new(uri("sip:skms.example.org"), vec![certificate]).unwrap();
        let audience = uri("sip:skms.example.net");
        announce(&SITE.kms, &domain, &audience, &[7; 16], now(), source).map(String::into_bytes)
    }),
];

/// Sources that are stuck: at 0, at the largest octet, at another, at a run of octets.
fn stuck() -> Vec<(&'static str, Source)> {
    vec![
        ("zeros", Source::stuck(|_| 0)),
        ("ones", Source::stuck(|_| 0xff)),
        ("sevens", Source::stuck(|_| 7)),
        ("the same run", Source::stuck(|position| (position * 37 + 11) as u8)),
    ]
}

#[test]
fn a_source_that_is_stuck_makes_no_secret() {
    for (name, operation) in SECRETS {
        for (kind, mut source) in stuck() {
            assert_eq!(operation(&mut source), Err(Error::Random), "{name} from {kind}");
        }
    }
}

#[test]
fn a_source_that_gives_nothing_in_range_is_given_up() {
    let alternating = || {
        Source::new(|number, octets| {
            octets.fill(if number % 2 == 0 { 0 } else { 0xff });
            Ok(())
        })
    };
    for (name, operation) in &SECRETS[..3] {
        let mut source = alternating();
        assert_eq!(operation(&mut source), Err(Error::Random), "{name}");
        assert_eq!(source.draws, 129, "{name}");
    }
}

/// v and j come from the source, the secret and what they are drawn for.
#[test]
fn whatever_else_draws_ends_with_a_value() {
    for (name, operation) in OTHERS {
        for (kind, mut source) in stuck() {
            let value = operation(&mut source).unwrap_or_else(|error| panic!("{name} from {kind}: {error}"));
            assert!(!value.is_empty());
        }
        assert_ne!(operation(&mut Source::stuck(|_| 7)), operation(&mut Source::stuck(|_| 8)), "{name}");
        assert_ne!(operation(&mut Source::failing_after(MANY)), operation(&mut Source::failing_after(MANY)), "{name}");
    }
}

#[test]
fn a_source_that_fails_at_any_draw_is_an_error() {
    for (name, operation) in SECRETS.iter().chain(OTHERS) {
        // A draw may have to be made again, so not always as many.
        let mut failures = 0;
        for good in 0.. {
            match operation(&mut Source::failing_after(good)) {
                Ok(_) => break,
                Err(error) => assert_eq!(error, Error::Random, "{name}, {good} good draws"),
            }
            failures += 1;
        }
        assert!(failures > 0, "{name} draws nothing");
    }
}

/// One user whose draw fails does not keep the others from theirs.
#[test]
fn in_a_batch_a_draw_fails_for_one() {
    let users: Vec<Uri> = (0..3).map(|number| uri(&format!("sip:{number}@example.org"))).collect();
    let users: Vec<_> = users.iter().map(|user| (user, PERIOD)).collect();
    let mut source = Source::new(|number, octets| if number == 1 { Err(Failure) } else { good(octets) });
    let issued = SITE.kms.issue_batch(&users, &mut source);
    assert_eq!(issued.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(*issued[1].as_ref().unwrap_err(), Error::Random);
}

fn octets<const N: usize>(number: &BigUint) -> [u8; N] {
    let digits = number.to_bytes_be();
    let mut octets = [0; N];
    octets[N - digits.len()..].copy_from_slice(&digits);
    octets
}

#[test]
fn a_ksak_out_of_range_is_drawn_again() {
    let q = BigUint::parse_bytes(ECCSI_Q.as_bytes(), 16).unwrap();
    let refused = [octets(&0u8.into()), octets(&q), octets(&(&q + 1u8)), [0xff; 32]];
    for first in [BigUint::from(1u8), &q - 1u8, &q >> 1] {
        let first: [u8; 32] = octets(&first);
        let draws = [&[[1; 32]][..], &refused, &[first]].concat();
        let mut source = Source::beginning_with(draws.iter().map(|draw| draw.to_vec()).collect());
        assert_eq!(*Ksak::generate(&mut source).unwrap().to_octets().expose(), first);
        assert_eq!(source.draws, draws.len());
    }
}

#[test]
fn a_master_secret_out_of_range_is_drawn_again() {
    let q = BigUint::parse_bytes(SAKKE_Q.as_bytes(), 16).unwrap();
    // The two bits above the 1022 of q are left out.
    let above = |number: &BigUint| octets::<128>(&(number + (BigUint::from(3u8) << 1022)));
    let refused = [
        octets(&0u8.into()),
        octets(&1u8.into()),
        octets(&q),
        octets(&(&q + 1u8)),
        [0xff; 128],
        above(&q),
        above(&1u8.into()),
    ];
    for first in [BigUint::from(2u8), &q - 1u8, &q >> 1] {
        for drawn in [octets(&first), above(&first)] {
            let draws = [&[[1; 128]][..], &refused, &[drawn]].concat();
            let mut source = Source::beginning_with(draws.iter().map(|draw| draw.to_vec()).collect());
            assert_eq!(*MasterSecret::generate(&mut source).unwrap().to_octets().expose(), octets::<128>(&first));
            assert_eq!(source.draws, draws.len());
        }
    }
}
