//! XML that is read is written so that it reads the same; nothing panics, and keys are imported by their checks alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mikey_sakke::documents::{Document, KmsMessage, Tolerances, TransportKey};
use mikey_sakke::secret::Secret;

fn write(document: &Document) -> Option<String> {
    let written = match document {
        Document::Request(document) => document.to_xml(),
        Document::Response(document) => document.to_xml(),
        Document::Certificate(document) => document.to_xml(),
        Document::KeySet(document) => document.to_xml(),
    };
    // What is read may be too long once it is indented.
    written.ok().map(|written| written.as_str().to_owned())
}

fuzz_target!(|octets: &[u8]| {
    let tolerances = Tolerances { rfc3394_key_wrap: true, element_order: true };
    let Ok(document) = Document::from_xml(octets, tolerances) else { return };
    if let Some(written) = write(&document) {
        let again = Document::from_xml(written.as_bytes(), Tolerances { element_order: false, ..tolerances });
        assert_eq!(write(&again.expect("what is written is read")), Some(written));
    }
    let transport_key = TransportKey::new(Secret::new([0x40; 32]), None);
    if let Document::Response(response) = document
        && let Some(KmsMessage::KeyProv(provision)) = response.message
    {
        for key in [provision.new_keys.transport_key, provision.new_keys.integrity_key].iter().flatten() {
            let _ = transport_key.unwrap::<32>(key);
        }
    }
});
