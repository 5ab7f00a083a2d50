//! What an attacker would send as XML, whatever it says:
//!
//! * entity bombs, external and undeclared entities, a DOCTYPE of any kind, XInclude
//! * deep nesting, more elements, attributes or octets than are sensible
//! * octets that are not UTF-8, other encodings, characters that XML does not allow, themselves or by reference
//! * CDATA, comments, processing instructions and elements inside values
//! * truncation at every octet, two roots, text outside the root, attributes twice
//! * known names in other namespaces, known namespaces under other prefixes, prefixes that are not declared
//! * signed documents, and signatures that are wrapped, moved or nested

use std::fmt::Write;

use mikey_sakke::documents::DocumentErrorKind as Kind;
use mikey_sakke::documents::{Document, KmsMessage, MAX_OCTETS};

use crate::common::*;

#[test]
fn entities_are_never_declared_expanded_or_fetched() {
    let body = INIT.split_once("?>").unwrap().1;
    let mut bomb = String::from("<!DOCTYPE KmsResponse [<!ENTITY a0 \"aaaaaaaaaa\">");
    for level in 1..20 {
        let references = format!("&a{};", level - 1).repeat(10);
        write!(bomb, "<!ENTITY a{level} \"{references}\">").unwrap();
    }
    bomb.push_str("]>");
    for prologue in [
        &bomb,
        "<!DOCTYPE KmsResponse>",
        "<!DOCTYPE KmsResponse SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE KmsResponse [<!ENTITY x SYSTEM \"http://127.0.0.1/\">]>",
        "<!DOCTYPE KmsResponse [<!ENTITY % x SYSTEM \"http://127.0.0.1/\"> %x;]>",
        "<!doctype KmsResponse>",
    ] {
        assert_eq!(refused(format!("{prologue}{body}")), Kind::Doctype, "{prologue}");
    }
    let inside = replaced(INIT, "<KmsMessage>", "<!DOCTYPE x [<!ENTITY y \"z\">]><KmsMessage>");
    assert_eq!(refused(inside), Kind::Doctype);

    for entity in ["&a19;", "&x;", "&nbsp;", "&KmsUri;"] {
        let document = replaced(INIT, "<KmsUri>kms", &format!("<KmsUri>{entity}kms"));
        let offset = INIT.find("<KmsUri>").unwrap() + "<KmsUri>".len();
        assert_eq!(error(&document), (Kind::Entity, Some("KmsUri".into()), offset), "{entity}");
        let attribute = replaced(INIT, "Role=\"Root\"", &format!("Role=\"{entity}\""));
        assert_eq!(refused(attribute), Kind::Entity, "{entity}");
    }
}

#[test]
fn the_five_entities_and_character_references_are_text() {
    let document = replaced(INIT, "KMS &amp; Sons", "&#75;MS&lt;&gt;&apos;&quot;&#x26; Sons");
    let Document::Response(response) = read(document).unwrap() else { panic!("not a response") };
    assert_eq!(response.kms_id.as_deref(), Some("KMS<>'\"& Sons"));
    // A reference is not read again.
    let document = replaced(INIT, "KMS &amp; Sons", "&amp;lt;");
    let Document::Response(response) = read(document).unwrap() else { panic!("not a response") };
    assert_eq!(response.kms_id.as_deref(), Some("&lt;"));
}

#[test]
fn a_document_has_limits() {
    let nested = |depth: usize| {
        let open: String = (0..depth).map(|_| "<x:a>").collect();
        let close = open.replace('<', "</");
        replaced(INIT, "<UserUri>", &format!("<x:a xmlns:x=\"urn:x\">{open}{close}</x:a><UserUri>"))
    };
    assert!(read(nested(14)).is_ok());
    assert_eq!(refused(nested(15)), Kind::TooDeep);
    assert_eq!(refused(format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000))), Kind::TooDeep);

    let elements = |count: usize| {
        replaced(INIT, "<UserUri>", &format!("<x:a xmlns:x=\"urn:x\">{}</x:a><UserUri>", "<x:b/>".repeat(count)))
    };
    assert!(read(elements(16_000)).is_ok());
    assert_eq!(refused(elements(16_384)), Kind::TooMany);

    let attributes = |count: usize| {
        let attributes: String = (0..count).fold(String::new(), |text, index| text + &format!(" x:a{index}='{index}'"));
        replaced(INIT, "<UserUri>", &format!("<x:a xmlns:x=\"urn:x\"{attributes}/><UserUri>"))
    };
    assert!(read(attributes(31)).is_ok());
    assert_eq!(refused(attributes(32)), Kind::TooManyAttributes);
    assert_eq!(refused(attributes(50_000)), Kind::TooManyAttributes);
    let spaces: String = (0..1_000).fold(String::new(), |text, index| text + &format!(" xmlns:a{index}='urn:x'"));
    assert!(read(replaced(INIT, "<UserUri>", &format!("<UserUri{spaces}>"))).is_err());

    let huge_attribute = replaced(INIT, "<UserUri>", &format!("<UserUri Id=\"{}\">", "a".repeat(MAX_OCTETS)));
    assert_eq!(error(&huge_attribute), (Kind::TooLong, None, MAX_OCTETS));
    let padded = |length: usize| INIT.to_owned() + &" ".repeat(length - INIT.len());
    assert!(read(padded(MAX_OCTETS)).is_ok());
    assert_eq!(refused(padded(MAX_OCTETS + 1)), Kind::TooLong);
}

#[test]
fn lists_have_limits() {
    let start = CERTCACHE.find("<KmsCertificate").unwrap();
    let end = CERTCACHE.find("</KmsCertificate>").unwrap() + "</KmsCertificate>".len();
    let certificate = &CERTCACHE[start..end];
    let document = replaced(CERTCACHE, certificate, &certificate.repeat(256));
    assert_eq!(refused(document), Kind::TooMany);

    let start = KEYPROV.find("<KmsKeySet").unwrap();
    let end = KEYPROV.find("</KmsKeySet>").unwrap() + "</KmsKeySet>".len();
    let key_set = &KEYPROV[start..end];
    let many = |count: u32| {
        (0..count).fold(String::new(), |text, number| {
            text + &key_set.replace("<KeyPeriodNo>1352", &format!("<KeyPeriodNo>{}", 2_000 + number))
        })
    };
    assert!(read(replaced(KEYPROV, key_set, &many(63))).is_ok());
    assert_eq!(refused(replaced(KEYPROV, key_set, &many(64))), Kind::TooMany);
}

#[test]
fn octets_are_utf_8() {
    let at = INIT.find("KMS &amp;").unwrap();
    for octets in [&b"\xFF"[..], b"\xC0\xAF", b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"\xC3"] {
        let document = [&INIT.as_bytes()[..at], octets, &INIT.as_bytes()[at..]].concat();
        let error = read(document).unwrap_err();
        assert_eq!((error.kind, error.offset), (Kind::Encoding, at));
    }
    for encoding in ["UTF-16", "ISO-8859-1", "US-ASCII", "utf8", "UTF-7", ""] {
        assert_eq!(refused(replaced(INIT, "UTF-8", encoding)), Kind::Encoding, "{encoding}");
    }
    for utf_16 in [
        INIT.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        [b"\xFF\xFE".to_vec(), INIT.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(),
        [b"\xFE\xFF".to_vec(), INIT.encode_utf16().flat_map(u16::to_be_bytes).collect()].concat(),
    ] {
        assert!(matches!(refused(utf_16), Kind::Encoding | Kind::Character));
    }
    assert!(read(replaced(INIT, "UTF-8", "utf-8")).is_ok());
    assert!(read(replaced(INIT, " encoding=\"UTF-8\"", "")).is_ok());
}

#[test]
fn a_byte_order_mark_is_read_over_and_counted() {
    assert!(read(format!("\u{FEFF}{INIT}")).is_ok());
    let document = replaced(INIT, "<UserKeyPeriod>2592000", "<UserKeyPeriod>x");
    let (kind, element, offset) = error(&document);
    assert_eq!(element.as_deref(), Some("UserKeyPeriod"));
    assert_eq!(&document[offset..=offset], "x");
    assert_eq!(error(&format!("\u{FEFF}{document}")), (kind, element, offset + 3));
    assert_eq!(refused(format!("\u{FEFF}\u{FEFF}{INIT}")), Kind::Syntax);
}

#[test]
fn characters_are_those_of_xml() {
    for character in ["\0", "\u{1}", "\u{8}", "\u{B}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
        for place in ["KMS &amp;", "<KmsMessage>", "Role=\""] {
            let document = replaced(INIT, place, &format!("{place}{character}"));
            assert_eq!(refused(document), Kind::Character, "{character:?} {place}");
        }
    }
    for reference in
        ["&#0;", "&#x0;", "&#8;", "&#xFFFE;", "&#xD800;", "&#x110000;", "&#99999999999;", "&#;", "&#x;", "&#-1;"]
    {
        let document = replaced(INIT, "KMS &amp;", &format!("{reference}KMS &amp;"));
        assert_eq!(refused(document), Kind::Character, "{reference}");
        let attribute = replaced(INIT, "Role=\"Root", &format!("Role=\"{reference}"));
        assert!(matches!(refused(attribute), Kind::Character | Kind::Entity | Kind::Attribute), "{reference}");
    }
}

#[test]
fn nothing_interrupts_a_value() {
    let at = INIT.find("<KmsUri>kms").unwrap() + "<KmsUri>kms".len();
    for (piece, kind) in [
        ("<!-- x -->", Kind::Comment),
        ("<!---->", Kind::Comment),
        ("<![CDATA[.example.com]]>", Kind::CData),
        ("<![CDATA[]]>", Kind::CData),
        ("<?x y?>", Kind::ProcessingInstruction),
        ("<x:a xmlns:x='urn:x'/>", Kind::Unexpected),
        ("<x:a xmlns:x='urn:x'>.example.com</x:a>", Kind::Unexpected),
        ("<KmsUri/>", Kind::Unexpected),
    ] {
        let document = format!("{}{piece}{}", &INIT[..at], &INIT[at..]);
        let (found, _, offset) = error(&document);
        assert_eq!((found, offset), (kind, at), "{piece}");
    }
    // Nor does anything stand in its place.
    for value in ["", " ", "<!-- kms.example.org -->", "<x:a xmlns:x='urn:x'>kms.example.org</x:a>"] {
        assert_eq!(
            refused(replaced(INIT, "<KmsUri>kms.example.org", &format!("<KmsUri>{value}"))),
            Kind::Value("there")
        );
    }
}

#[test]
fn comments_stand_between_elements_only_and_processing_instructions_nowhere() {
    assert!(read(replaced(INIT, "<KmsUri>", "<!-- <KmsUri>evil</KmsUri> --><KmsUri>")).is_ok());
    assert_eq!(refused(replaced(INIT, "<KmsUri>", "<!-- a -- b --><KmsUri>")), Kind::Syntax);
    for place in ["<KmsUri>", "<KmsResponse"] {
        let document = replaced(INIT, place, &format!("<?xml-stylesheet href='http://127.0.0.1/'?>{place}"));
        assert_eq!(refused(document), Kind::ProcessingInstruction);
    }
    assert_eq!(refused(format!("{INIT}<?x?>")), Kind::ProcessingInstruction);
    let second = replaced(INIT, "<KmsMessage>", "<?xml version=\"1.0\"?><KmsMessage>");
    assert_eq!(refused(second), Kind::Syntax);
    assert_eq!(refused(format!(" {INIT}")), Kind::Syntax);
    assert_eq!(refused(replaced(INIT, "version=\"1.0\"", "version=\"1.1\"")), Kind::Syntax);
    assert_eq!(refused(replaced(INIT, "version=\"1.0\" ", "")), Kind::Syntax);
}

#[test]
fn a_document_is_whole() {
    let document = INIT.trim_end();
    for length in 0..document.len() {
        assert!(read(&document[..length]).is_err(), "{length} octets");
    }
    for garbage in ["x", "<a/>", INIT.split_once("?>").unwrap().1, "&amp;", "</KmsResponse>", "<![CDATA[x]]>", "\0"] {
        assert!(read(format!("{INIT}{garbage}")).is_err(), "{garbage}");
    }
    for document in ["", " ", "x", "<", "<>", "</a>", "<a", "{}", "<?xml version=\"1.0\"?>", "<!---->"] {
        assert_eq!(refused(document), Kind::Syntax, "{document}");
    }
}

#[test]
fn xml_is_well_formed() {
    for (from, to) in [
        ("</KmsUri>", "</KmsURI>"),
        ("</KmsUri>", ""),
        ("<KmsUri>", "<KmsUri a=b>"),
        ("<KmsUri>", "<KmsUri Id=\"a\" Id=\"b\">"),
        ("<KmsUri>", "<KmsUri Id=\"<\">"),
        ("<KmsUri>", "<KmsUri Id>"),
        ("<KmsUri>", "< KmsUri>"),
        ("<KmsUri>kms", "<KmsUri>]]>kms"),
        ("KMS &amp; Sons", "KMS & Sons"),
        ("KMS &amp; Sons", "KMS &amp Sons"),
        ("<KmsUri>kms.example.org</KmsUri>", "<1KmsUri>kms.example.org</1KmsUri>"),
        ("<KmsUri>kms.example.org</KmsUri>", "<a:b:KmsUri>kms.example.org</a:b:KmsUri>"),
        ("</KmsUri>", "</KmsUri Id=\"a\">"),
    ] {
        assert!(matches!(refused(replaced(INIT, from, to)), Kind::Syntax | Kind::Prefix), "{to}");
    }
}

#[test]
fn names_count_in_their_namespace_only() {
    const SPACE: &str = "urn:3gpp:ns:mcsecKMSInterface:1.0";
    for space in ["", "urn:3gpp:ns:mcsecKMSInterface:1.1", "URN:3gpp:ns:mcsecKMSInterface:1.0", "urn:x"] {
        assert_eq!(refused(replaced(INIT, SPACE, space)), Kind::Root, "{space}");
    }
    // A known name of another namespace is an extension.
    for evil in ["<KmsUri xmlns=\"\">", "<KmsUri xmlns=\"urn:x\">"] {
        let document = replaced(INIT, "<KmsUri>", evil);
        assert_eq!(refused(document), Kind::Missing("KmsUri"), "{evil}");
    }
    let beside = replaced(INIT, "<KmsUri>", "<KmsUri xmlns=\"urn:x\">evil.example.org</KmsUri><KmsUri>");
    let Document::Response(response) = read(beside).unwrap() else { panic!("not a response") };
    assert_eq!(response.kms_uri.as_str(), "kms.example.org");
    assert_eq!(
        refused(replaced(INIT, "<KmsUri>kms.example.org</KmsUri>", "<k:KmsUri>kms.example.org</k:KmsUri>")),
        Kind::Prefix
    );
    // The prefixes of the standard's examples mean nothing by themselves.
    let rebound =
        replaced(PEER_INIT, "xmlns:x=\"urn:example:extension\"", "xmlns:x=\"urn:3gpp:ns:mcsecKMSInterface:1.0\"");
    assert_eq!(refused(rebound), Kind::Unexpected);
    for binding in ["xmlns:xml=\"urn:x\"", "xmlns:xmlns=\"urn:x\"", "xmlns:a=\"http://www.w3.org/2000/xmlns/\""] {
        assert!(read(replaced(INIT, "<KmsUri>", &format!("<KmsUri {binding}>"))).is_err(), "{binding}");
    }
}

#[test]
fn attributes_are_those_of_the_schema() {
    for (from, to) in [
        ("<KmsUri>", "<KmsUri encoding=\"base64\">"),
        ("<KmsMessage>", "<KmsMessage Version=\"1.0.0\">"),
        ("<KmsUri>", "<KmsUri xsi:nil=\"true\">"),
        ("Role=\"Root\"", "Role=\"root\""),
        ("Role=\"Root\"", "Role=\"\""),
        ("Role=\"Root\"", "Role=\"Root\" IsSecurityGateway=\"yes\""),
        ("<KmsInit Version=\"1.0.0\"", "<KmsInit Version=\"2.0.0\""),
        ("<KmsInit Version=\"1.0.0\"", "<KmsInit Version=\"1.0\""),
        ("<KmsInit Version=\"1.0.0\"", "<KmsInit Version=\"1.0.0.0\""),
        ("<KmsInit Version=\"1.0.0\"", "<KmsInit Version=\"1..0\""),
        ("<KmsInit Version=\"1.0.0\"", "<KmsInit Version=\"\""),
        ("<KmsUri>", "<KmsUri xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"b\" a:type=\"b\">"),
    ] {
        assert_eq!(refused(replaced(INIT, from, to)), Kind::Attribute, "{to}");
    }
    for number in ["x", "-1", "", "18446744073709551616"] {
        let document = replaced(CERTCACHE, "CacheNum=\"7\"", &format!("CacheNum=\"{number}\""));
        assert_eq!(refused(document), Kind::Attribute, "{number}");
    }
    for to in ["<KmsUri Id=\"a\">", "<KmsUri xml:lang=\"en\">", "<KmsUri x:y=\"\" xmlns:x=\"urn:x\">"] {
        assert!(read(replaced(INIT, "<KmsUri>", to)).is_ok(), "{to}");
    }
    assert!(read(replaced(INIT, " Version=\"1.0.0\"", "")).is_ok());
    assert!(read(replaced(INIT, "<KmsInit Version=\"1.0.0\"", "<KmsInit Version=\"1.12.3\"")).is_ok());
}

#[test]
fn signed_documents_are_refused_by_name_wherever_the_signature_stands() {
    const SIGNATURE: &str =
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo/></ds:Signature>";
    let body = |document: &'static str| document.split_once("?>").unwrap().1;
    let space = "xmlns=\"urn:3gpp:ns:mcsecKMSInterface:1.0\"";
    for name in ["SignedKmsRequest", "SignedKmsResponse", "SignedKmsCertificate", "SignedAnything"] {
        for content in [body(INIT), body(REQUEST), "", SIGNATURE] {
            let document = format!("<{name} {space}>{content}</{name}>");
            assert_eq!(error(&document), (Kind::Signed, Some(name.into()), 0));
        }
    }
    // Beside the content, in it, after it, hidden in an extension; and content hidden in the signature.
    let object = SIGNATURE.replace("<ds:SignedInfo/>", &format!("<ds:Object>{}</ds:Object>", body(INIT)));
    for (from, to) in [
        ("<UserUri>", format!("{SIGNATURE}<UserUri>")),
        ("</KmsMessage>", format!("{SIGNATURE}</KmsMessage>")),
        ("</KmsResponse>", format!("{SIGNATURE}</KmsResponse>")),
        ("</KmsCertificate>", format!("{SIGNATURE}</KmsCertificate>")),
        ("<UserUri>", format!("<x:a xmlns:x=\"urn:x\">{SIGNATURE}</x:a><UserUri>")),
        ("<KmsUri>", format!("<KmsUri>{SIGNATURE}")),
        ("<UserUri>", format!("{object}<UserUri>")),
    ] {
        assert_eq!(refused(replaced(INIT, from, &to)), Kind::Signed, "{to}");
    }
    assert_eq!(refused(object), Kind::Signed);
    let certificate = INIT.replace("KmsCertificate", "SignedKmsCertificate");
    assert_eq!(refused(certificate), Kind::Signed);
    // A signed response that is hidden in an extension does not come to the surface.
    let hidden = format!("<x:a xmlns:x=\"urn:x\"><SignedKmsResponse {space}/></x:a>");
    assert_eq!(refused(replaced(INIT, "<UserUri>", &format!("{hidden}<UserUri>"))), Kind::Signed);
    assert_eq!(refused(hidden), Kind::Signed);
}

#[test]
fn encrypted_data_is_not_ignored() {
    let encrypted = "<xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\"/>";
    for place in ["<UserUri>", "</KmsMessage>", "</KmsInit>", "</KmsResponse>"] {
        let document = replaced(INIT, place, &format!("{encrypted}{place}"));
        assert_eq!(error(&document).1.as_deref(), Some("EncryptedData"), "{place}");
    }
}

#[test]
fn nothing_is_included() {
    let include =
        "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\" parse=\"text\"/>";
    assert_eq!(
        refused(replaced(INIT, "kms.example.org</KmsUri>", &format!("{include}</KmsUri>"))),
        Kind::Value("there")
    );
    assert_eq!(refused(replaced(INIT, "<KmsUri>kms", &format!("<KmsUri>{include}kms"))), Kind::Unexpected);
    let domain = replaced(INIT, "<KmsDomain>sec1.example.org</KmsDomain>", include);
    let Document::Response(response) = read(domain).unwrap() else { panic!("not a response") };
    let Some(KmsMessage::Init(init)) = response.message else { panic!("no certificate") };
    assert_eq!(init.certificate.domains, ["sec2.example.org"]);
}
