//! Importing, verifying and decapsulating arbitrary octets; nothing panics, and points encode as they were read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mikey_sakke::eccsi::{Kpak, Signature, VerifyingKey};
use mikey_sakke::identity::{Uid, Uri};
use mikey_sakke::sakke::{MasterSecret, PublicKey};

fuzz_target!(|octets: &[u8]| {
    if let Ok(key) = PublicKey::from_octets(octets) {
        assert_eq!(key.to_octets(), octets);
    }
    if let Ok(kpak) = Kpak::from_octets(octets) {
        assert_eq!(kpak.to_octets(), octets);
    }
    if let Ok(z) = MasterSecret::from_octets(octets) {
        assert_eq!(z.to_octets().expose(), octets);
    }
    if let Some(uri) = std::str::from_utf8(octets).ok().and_then(|text| Uri::parse(text).ok()) {
        assert_eq!(uri.as_str().as_bytes(), octets);
    }
    if let (Some((kpak, rest)), Ok(identity)) = (octets.split_at_checked(65), Uid::from_octets(b"identity")) {
        if let (Ok(kpak), Ok(signature)) = (Kpak::from_octets(kpak), Signature::try_from(rest)) {
            let _ = VerifyingKey::new(&kpak, &identity).verify(b"message", &signature);
        }
    }
});
