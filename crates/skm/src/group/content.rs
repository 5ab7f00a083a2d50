//! What is sealed in the file of a state. Integers are big-endian:
//!
//! | octets | field |
//! |---|---|
//! | 16 | key |
//! | 4 | SK-ID |
//! | 16 | RAND |
//! | 2, n | length, URI of the manager |
//! | 2, n | length, URI of the group |
//! | 2, n | length, URI of the KMS |
//! | 2, n | length, URI of a member who has the key; as often as there are members |

use std::collections::BTreeSet;

use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{KeyBundle, SkId};
use mikey_sakke::sakke::Ssv;
use zeroize::Zeroizing;

use super::Group;

/// A distribution that has begun.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) group: Group,
    /// The KMS of the members.
    pub(super) kms: Uri,
    pub(super) bundle: KeyBundle,
    /// Those who have the key.
    pub(super) done: BTreeSet<Uri>,
}

impl Content {
    /// The octets to be sealed.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let Self { group, kms, bundle, done } = self;
        let uris = || [&group.manager, &group.uri, kms].into_iter().chain(done);
        // Room from the start: a buffer that grows leaves copies behind.
        let length = KEY_OCTETS + uris().map(|uri| 2 + uri.as_str().len()).sum::<usize>();
        let mut octets = Zeroizing::new(Vec::with_capacity(length));
        octets.extend_from_slice(bundle.key().expose());
        octets.extend_from_slice(&bundle.id().to_octets());
        octets.extend_from_slice(bundle.rand());
        for uri in uris() {
            let text = uri.as_str().as_bytes();
            // No URI is longer than 65,535 octets.
            octets.extend_from_slice(&(text.len() as u16).to_be_bytes());
            octets.extend_from_slice(text);
        }
        octets
    }

    /// Reads such octets; none if they are malformed.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields(octets);
        let key = Ssv::new(fields.array()?);
        let id = SkId::from_octets(fields.array()?);
        let rand = fields.array()?;
        let [manager, uri, kms] = [fields.uri()?, fields.uri()?, fields.uri()?];
        let mut done = BTreeSet::new();
        while !fields.0.is_empty() {
            done.insert(fields.uri()?);
        }
        let group = Group { manager, uri, purpose: id.purpose() };
        let bundle = KeyBundle::new(group.profile(), key, id, rand).ok()?;
        Some(Self { bundle: with_properties(bundle, &group), group, kms, done })
    }
}

/// The same key, with what is said of it to the members of the group.
pub(super) fn with_properties(bundle: KeyBundle, group: &Group) -> KeyBundle {
    match group.properties() {
        Some(properties) => bundle.with_properties(properties),
        None => bundle,
    }
}

/// Key, SK-ID and RAND.
const KEY_OCTETS: usize = 16 + 4 + 16;

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn uri(&mut self) -> Option<Uri> {
        let length = u16::from_be_bytes(self.array()?);
        let text = str::from_utf8(self.take(length.into())?).ok()?;
        Uri::parse(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use mikey_sakke::imessage::Purpose;

    use super::*;

    fn content(purpose: Purpose) -> Content {
        let uri = |text| Uri::parse(text).unwrap();
        let group = Group { manager: uri("sip:groups@example.org"), uri: uri("sip:fleet@example.org"), purpose };
        let bundle = with_properties(KeyBundle::generate(group.profile(), &mut SysRng).unwrap(), &group);
        let done = ["sip:alice@example.org", "tel:+447700900123"].map(uri).into();
        Content { group, kms: uri("kms.example.org"), bundle, done }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for number in 0..16 {
            let content = content(Purpose::new(number).unwrap());
            let octets = content.encode();
            assert_eq!(octets.capacity(), octets.len());
            let read = Content::decode(&octets).unwrap();
            assert_eq!((&read.group, &read.kms, &read.done), (&content.group, &content.kms, &content.done));
            assert_eq!((read.bundle.key(), read.bundle.id()), (content.bundle.key(), content.bundle.id()));
            assert_eq!((read.bundle.rand(), read.bundle.profile()), (content.bundle.rand(), content.bundle.profile()));
            assert_eq!(read.bundle.properties(), content.bundle.properties());
            assert_eq!(read.bundle.properties().is_some(), [0, 4, 6].contains(&number));
        }
    }

    #[test]
    fn no_shortened_content_is_read_as_another() {
        let octets = content(Purpose::GMK).encode();
        let members = ["sip:alice@example.org", "tel:+447700900123"];
        // Between members the content may end; that it does not there is for the seal to say.
        let ends = [0, 1, 2].map(|left| octets.len() - members[left..].iter().map(|uri| 2 + uri.len()).sum::<usize>());
        for length in 0..octets.len() {
            assert_eq!(Content::decode(&octets[..length]).is_some(), ends.contains(&length), "{length}");
        }
        for damaged in
            [[&octets[..], &[0]].concat(), [&octets[..], b"\0\x03a b"].concat(), [&octets[..], b"\0\x01\xff"].concat()]
        {
            assert!(Content::decode(&damaged).is_none());
        }
    }
}
