//! The members of a file.

use anyhow::{Context, anyhow};
use mikey_sakke::identity::Uri;
use mikey_sakke::secret::Secret;
use zeroize::Zeroizing;

pub(crate) fn uri(name: &str, text: &str) -> anyhow::Result<Uri> {
    Uri::parse(text).with_context(|| format!("{name}: {text}"))
}

pub(crate) fn octets(name: &str, text: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    hex::decode(text).map(Zeroizing::new).map_err(|_| anyhow!("{name} is not hexadecimal"))
}

pub(crate) fn array<const N: usize>(name: &str, text: &str) -> anyhow::Result<[u8; N]> {
    let octets = octets(name, text)?;
    octets.as_slice().try_into().map_err(|_| anyhow!("{name} has {} octets, not {N}", octets.len()))
}

pub(crate) fn secret<const N: usize>(name: &str, text: &str) -> anyhow::Result<Secret<[u8; N]>> {
    array(name, text).map(Secret::new)
}
