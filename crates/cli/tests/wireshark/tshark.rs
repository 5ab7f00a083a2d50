//! What Wireshark's dissector says of a message.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// The UDP port of MIKEY.
const PORT: u16 = 2269;

/// Octets of IPv4 and UDP in front of the message.
const BEFORE: usize = 28;

/// A field, or with `is_tree` a payload or a block, as Wireshark names it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) is_tree: bool,
    /// Octets from the start of the message.
    pub(crate) offset: usize,
    pub(crate) length: usize,
    /// What is displayed.
    pub(crate) show: String,
    /// The octets, in hexadecimal.
    pub(crate) value: String,
}

/// What is said of a message.
#[derive(Debug)]
pub(crate) struct Dissection {
    pub(crate) fields: Vec<Field>,
    /// Whether something in it is malformed, or otherwise to be complained of.
    pub(crate) has_complaints: bool,
}

/// Whether `tshark` is installed. Where it is not, the test says so and does no more, unless
/// MIKEY_SAKKE_REQUIRE_TSHARK is set.
pub(crate) fn is_installed() -> bool {
    let installed = Command::new("tshark").arg("--version").output().is_ok();
    if !installed {
        assert!(std::env::var_os("MIKEY_SAKKE_REQUIRE_TSHARK").is_none(), "tshark is required and not installed");
        println!("SKIPPED: tshark is not installed");
    }
    installed
}

/// Has messages dissected, each as one UDP datagram.
pub(crate) fn dissect(messages: &[Vec<u8>]) -> Vec<Dissection> {
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("messages.pcap");
    fs::write(&capture, pcap(messages)).unwrap();
    let output = Command::new("tshark").args(["-T", "pdml", "-r"]).arg(&capture).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pdml = String::from_utf8_lossy(&output.stdout);
    let dissections: Vec<_> = pdml.split("<packet>").skip(1).map(dissection).collect();
    assert_eq!(dissections.len(), messages.len());
    dissections
}

/// PDML has an element on each line.
fn dissection(packet: &str) -> Dissection {
    let fields = packet.lines().filter_map(|line| {
        let name = attribute(line, "name").filter(|name| name.starts_with("mikey."))?;
        let offset = attribute(line, "pos")?.parse::<usize>().unwrap().checked_sub(BEFORE)?;
        let length = attribute(line, "size")?.parse().unwrap();
        let (show, value) = (attribute(line, "show").unwrap_or_default(), attribute(line, "value").unwrap_or_default());
        Some(Field { is_tree: show.is_empty() && value.is_empty() && length > 1, name, offset, length, show, value })
    });
    let has_complaints = ["_ws.expert", "_ws.malformed"].iter().any(|name| packet.contains(name));
    Dissection { fields: fields.collect(), has_complaints }
}

fn attribute(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next()?.to_owned())
}

/// A capture of UDP datagrams over IPv4, without link layer.
fn pcap(messages: &[Vec<u8>]) -> Vec<u8> {
    const LINKTYPE_RAW: u32 = 101;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let mut capture = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, LINKTYPE_RAW]);
    for message in messages {
        let udp_length = u16::try_from(8 + message.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend((20 + udp_length).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        packet.extend([127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend([PORT.to_be_bytes(), PORT.to_be_bytes(), udp_length.to_be_bytes(), [0, 0]].concat());
        packet.extend(message);
        let length = u32::try_from(packet.len()).unwrap();
        capture.extend(words(&[0, 0, length, length]));
        capture.extend(packet);
    }
    capture
}
