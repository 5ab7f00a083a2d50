//! Bodies that an attacker would send in place of a KM Request.

use mikey_sakke::km::{BodyError, MAX_BODY_OCTETS, Request, RequestError};

use crate::common::{REQUEST, replaced, request};

const VERSION: &str = r#""Version":"1.0.0""#;
const SKMS: &str = r#""SKmsUri":"sip:skms.example.org""#;
const SERVICE: &str = r#""ServiceID":"urn:example:fleet""#;
const USER: &str = r#""UserID":"sip:alice@example.org""#;
const TIME: &str = r#""DateTime":1795000000"#;

fn refused(body: impl AsRef<[u8]>) -> RequestError {
    Request::from_json(body.as_ref()).unwrap_err()
}

#[test]
fn bodies_that_are_no_object_are_refused() {
    let cut: Vec<_> = (0..REQUEST.len()).map(|end| REQUEST[..end].to_owned()).collect();
    let others = [
        " ",
        "null",
        "true",
        "0",
        "\"\"",
        "[]",
        "{",
        "}",
        "{{}}",
        "{]",
        "[{}]",
        "{}{}",
        "{},",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":0x1}",
        "{\"a\":1e}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":TRUE}",
        "{\"a\":undefined}",
        "{\"a\":\"\\x41\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u+123\"}",
        "{\"a\":\"line\nbreak\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":1}//",
        "/**/{\"a\":1}",
        "{\"a\":1}\0",
        "\u{feff}{\"a\":1}",
        "\u{a0}{\"a\":1}",
        "Version=1.0.0&ServiceID=a",
        "<KmsRequest/>",
    ];
    for body in cut.iter().map(String::as_str).chain(others) {
        assert_eq!(refused(body), BodyError::Json.into(), "{body}");
    }
    for body in [&b"{\"a\":\"\xff\"}"[..], b"{\"a\":\"\xed\xa0\x80\"}", b"{\"a\":\"\xc0\x80\"}", b"\xff\xfe{\0}\0"] {
        assert_eq!(refused(body), BodyError::Json.into());
    }
    let utf16: Vec<u8> = REQUEST.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refused(utf16), BodyError::Json.into());
    for nested in ["[", "{\"a\":", "[{\"a\":["] {
        let deep = nested.repeat(MAX_BODY_OCTETS / 8 - 8);
        assert_eq!(refused(format!("{{\"a\":{deep}")), BodyError::Json.into());
    }
    assert_eq!(refused("{}"), BodyError::Missing("Version").into());
}

#[test]
fn what_is_wrong_with_a_member_is_said() {
    use BodyError::{Character, Duplicate, Integer, Length, Missing, Text, Uri};
    let long = format!("\"ServiceID\":\"{}\"", "a".repeat(1_025));
    let long_uri = format!("\"SKmsUri\":\"sip:{}\"", "a".repeat(1_021));
    let cases = [
        // Missing, under another name, in another place.
        (VERSION, "\"a\":1", Missing("Version")),
        (SKMS, "\"a\":1", Missing("SKmsUri")),
        (SERVICE, "\"a\":1", Missing("ServiceID")),
        (TIME, "\"a\":1", Missing("DateTime")),
        (VERSION, r#""version":"1.0.0""#, Missing("Version")),
        (SKMS, r#""SKMSUri":"sip:skms.example.org""#, Missing("SKmsUri")),
        (SKMS, r#""SKmsUri\u0000":"sip:skms.example.org""#, Missing("SKmsUri")),
        (SERVICE, r#""ServiceId":"urn:example:fleet""#, Missing("ServiceID")),
        (SERVICE, r#""S\u0435rviceID":"urn:example:fleet""#, Missing("ServiceID")),
        (SERVICE, r#""a":{"ServiceID":"urn:example:fleet"}"#, Missing("ServiceID")),
        (TIME, r#""Date/Time":1795000000"#, Missing("DateTime")),
        // Twice, also where nothing reads it.
        (VERSION, r#""Version":"1.0.0","Version":"1.0.0""#, Duplicate),
        (VERSION, r#""Version":"1.0.0","\u0056ersion":"2.0.0""#, Duplicate),
        (SKMS, r#""SKmsUri":"sip:skms.example.org","SKmsUri":null"#, Duplicate),
        (USER, r#""UserID":"sip:alice@example.org","UserID":"sip:bob@example.org""#, Duplicate),
        (TIME, r#""DateTime":0,"DateTime":1795000000"#, Duplicate),
        (TIME, r#""DateTime":1795000000,"a":1,"a":2"#, Duplicate),
        (TIME, r#""DateTime":1795000000,"":1,"":2"#, Duplicate),
        // Of another type.
        (VERSION, r#""Version":null"#, Text("Version")),
        (VERSION, r#""Version":1"#, Text("Version")),
        (VERSION, r#""Version":["1.0.0"]"#, Text("Version")),
        (SKMS, r#""SKmsUri":true"#, Text("SKmsUri")),
        (SERVICE, r#""ServiceID":5"#, Text("ServiceID")),
        (SERVICE, r#""ServiceID":{"id":"urn:example:fleet"}"#, Text("ServiceID")),
        (USER, r#""UserID":["sip:alice@example.org"]"#, Text("UserID")),
        (USER, r#""ClientID":false"#, Text("ClientID")),
        (USER, r#""DeviceID":0"#, Text("DeviceID")),
        // Half a surrogate pair, alone, before something else, the wrong way round.
        (SERVICE, r#""ServiceID":"\ud800""#, Text("ServiceID")),
        (SERVICE, r#""ServiceID":"\udc00""#, Text("ServiceID")),
        (SERVICE, r#""ServiceID":"\ud800a""#, Text("ServiceID")),
        (SERVICE, r#""ServiceID":"\ud800\n""#, Text("ServiceID")),
        (SERVICE, r#""ServiceID":"\ud800\u0041""#, Text("ServiceID")),
        (SERVICE, r#""ServiceID":"\udc00\ud800""#, Text("ServiceID")),
        (SERVICE, r#""ServiceID":"\ud800é""#, Text("ServiceID")),
        // Empty, too long.
        (SKMS, r#""SKmsUri":"""#, Length("SKmsUri")),
        (SERVICE, r#""ServiceID":"""#, Length("ServiceID")),
        (USER, r#""UserID":"""#, Length("UserID")),
        (USER, r#""ClientID":"""#, Length("ClientID")),
        (USER, r#""DeviceID":"""#, Length("DeviceID")),
        (SERVICE, &long, Length("ServiceID")),
        (SKMS, &long_uri, Length("SKmsUri")),
        // What would end a string elsewhere, or break the line of a log.
        (SERVICE, r#""ServiceID":"a\u0000""#, Character("ServiceID")),
        (SERVICE, r#""ServiceID":"a\r\nb""#, Character("ServiceID")),
        (USER, r#""ClientID":"\u001b[2J""#, Character("ClientID")),
        (USER, r#""DeviceID":"\u0085""#, Character("DeviceID")),
        (USER, r#""DeviceID":"\u007f""#, Character("DeviceID")),
        // URIs in a second spelling.
        (SKMS, r#""SKmsUri":"sip:skms.Example.org""#, Uri("SKmsUri")),
        (SKMS, r#""SKmsUri":"sip:skms.example.org:5061""#, Uri("SKmsUri")),
        (SKMS, r#""SKmsUri":" sip:skms.example.org""#, Uri("SKmsUri")),
        (SKMS, r#""SKmsUri":"sip:skms.example.org?x""#, Uri("SKmsUri")),
        (USER, r#""UserID":"SIP:alice@example.org""#, Uri("UserID")),
        (USER, r#""UserID":"sip:alice@example.org;user=phone""#, Uri("UserID")),
        (USER, r#""UserID":"sip:%61lice@example.org""#, Uri("UserID")),
        (USER, r#""UserID":"sip:alice@example.org\u0000""#, Uri("UserID")),
        (USER, r#""UserID":"sip:ali\u0301ce@example.org""#, Uri("UserID")),
        (USER, r#""UserID":"tel:+44 7700 900123""#, Uri("UserID")),
        (USER, r#""UserID":"sip:*@""#, Uri("UserID")),
        // No integers, or none of the range.
        (TIME, r#""DateTime":"1795000000""#, Integer("DateTime")),
        (TIME, r#""DateTime":1795000000.0"#, Integer("DateTime")),
        (TIME, r#""DateTime":1.795e9"#, Integer("DateTime")),
        (TIME, r#""DateTime":1795000000E0"#, Integer("DateTime")),
        (TIME, r#""DateTime":-1"#, Integer("DateTime")),
        (TIME, r#""DateTime":-0"#, Integer("DateTime")),
        (TIME, r#""DateTime":null"#, Integer("DateTime")),
        (TIME, r#""DateTime":true"#, Integer("DateTime")),
        (TIME, r#""DateTime":[1795000000]"#, Integer("DateTime")),
        (TIME, r#""DateTime":{}"#, Integer("DateTime")),
        (TIME, r#""DateTime":"2026-11-17T21:46:40Z""#, Integer("DateTime")),
        (TIME, r#""DateTime":253402300800"#, Integer("DateTime")),
        (TIME, r#""DateTime":1795000000000000000"#, Integer("DateTime")),
        (TIME, r#""DateTime":18446744073709551615"#, Integer("DateTime")),
        (TIME, r#""DateTime":18446744073709551616"#, Integer("DateTime")),
        (TIME, r#""DateTime":99999999999999999999999999999999999999999"#, Integer("DateTime")),
    ];
    assert!(cases.len() >= 60);
    for (from, to, error) in cases {
        let refusal = refused(replaced(REQUEST, from, to));
        assert_eq!(refusal, error.into(), "{to}");
        assert_eq!((refusal.http_status(), refusal.error_code().as_str()), (400, "04"));
        assert!(refusal.to_string().starts_with("malformed"), "{refusal}");
    }
}

#[test]
fn a_body_has_a_longest_length() {
    let padded = |octets: usize| replaced(REQUEST, "{", &format!("{{{}", " ".repeat(octets - REQUEST.len())));
    assert_eq!(Request::from_json(padded(MAX_BODY_OCTETS).as_bytes()), Ok(request()));
    let too_long = refused(padded(MAX_BODY_OCTETS + 1));
    assert_eq!((too_long, too_long.http_status()), (BodyError::TooLong.into(), 413));
    assert_eq!(too_long.error_code().as_str(), "04");
    // Length is looked at first: what is too long need not be JSON.
    assert_eq!(refused(vec![0xff; MAX_BODY_OCTETS + 1]), BodyError::TooLong.into());
}

#[test]
fn what_is_not_known_is_ignored() {
    for unknown in [
        r#""UserUri":"sip:bob@example.org""#,
        r#""userID":"sip:bob@example.org""#,
        r#""ErrorCode":"01","Payload":"x""#,
        r#""":"""#,
        r#""a":{"DateTime":1.0,"a":{},"b":[{"DateTime":"","DateTime":0}]}"#,
        r#""a":"\ud800""#,
        r#""a":-1e-999"#,
        r#""__proto__":{"Version":"2.0.0"}"#,
        r#""$serde_json::private::RawValue":"{}""#,
        r#""$serde_json::private::Number":"1""#,
    ] {
        for at in [VERSION, USER, TIME] {
            let body = replaced(REQUEST, at, &format!("{unknown},{at}"));
            assert_eq!(Request::from_json(body.as_bytes()), Ok(request()), "{unknown}");
        }
    }
    let deep = format!("\"a\":{}{},", "[".repeat(30_000), "]".repeat(30_000));
    let body = replaced(REQUEST, "{", &format!("{{{deep}"));
    assert_eq!(Request::from_json(body.as_bytes()), Ok(request()));
    let many: String = (0..5_000).map(|number| format!("\"{number}\":0,")).collect();
    let body = replaced(REQUEST, "{", &format!("{{{many}"));
    assert_eq!(Request::from_json(body.as_bytes()), Ok(request()));
}

#[test]
fn spellings_of_json_that_mean_the_same_are_read_the_same() {
    let spaced = REQUEST.replace(':', " :\t").replace(',', "\r\n, ").replace(" :\t", ":");
    assert_eq!(Request::from_json(spaced.as_bytes()), Ok(request()));
    let body = replaced(REQUEST, "sip:skms.example.org", r"sip\u003Askms\u002eexample.org");
    assert_eq!(Request::from_json(body.as_bytes()), Ok(request()));
    let slashes = replaced(REQUEST, "urn:example:fleet", r#"a\/b\\\"\u00e9\ud83d\ude00"#);
    let read = Request::from_json(slashes.as_bytes()).unwrap();
    assert_eq!(read.service_id().as_str(), "a/b\\\"é😀");
    assert_eq!(Request::from_json(read.to_json().as_bytes()), Ok(read));
}
