//! From values to XML.

use alloc::string::String;
use alloc::vec;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::tree::{MAX_OCTETS, is_character};
use super::{INSTANCE, INTERFACE, date_time};
use crate::error::UsageError;
use crate::secret::{Reach, on_clean_stack};
use crate::time::Timestamp;

/// Writes the elements of a document one after the other.
pub(super) struct DocumentWriter(Writer<Buffer>);

impl DocumentWriter {
    /// Writes a document whose root has these attributes and this content.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a value cannot stand in XML or the document becomes too long,
    /// [`UsageError::Time`] for a year after 9999.
    pub(super) fn document(
        root: &'static str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self) -> Result<(), UsageError>,
    ) -> Result<Zeroizing<String>, UsageError> {
        const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        let mut buffer = Buffer::default();
        buffer.push(DECLARATION.as_bytes());
        let mut writer = Self(Writer::new_with_indent(buffer, b' ', 2));
        writer.write(Event::Text(BytesText::from_escaped("\n")))?;
        let spaces = [("xmlns", INTERFACE), ("xmlns:xsi", INSTANCE)];
        writer.element(root, &[&spaces, attributes].concat(), content)?;
        writer.write(Event::Text(BytesText::from_escaped("\n")))?;
        let document = writer.0.into_inner().into_string().ok_or(UsageError::FieldLength)?;
        if document.len() > MAX_OCTETS {
            return Err(UsageError::FieldLength);
        }
        Ok(document)
    }

    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self) -> Result<(), UsageError>,
    ) -> Result<(), UsageError> {
        self.write(Event::Start(BytesStart::new(name).with_attributes(attributes.iter().copied())))?;
        content(self)?;
        self.write(Event::End(BytesEnd::new(name)))
    }

    pub(super) fn empty(&mut self, name: &'static str, attributes: &[(&str, &str)]) -> Result<(), UsageError> {
        self.write(Event::Empty(BytesStart::new(name).with_attributes(attributes.iter().copied())))
    }

    pub(super) fn text(&mut self, name: &'static str, text: &str) -> Result<(), UsageError> {
        let is_collapsed = !text.contains(['\t', '\r', '\n']) && !text.contains("  ");
        if text.is_empty() || text != text.trim_matches(' ') || !is_collapsed || !text.chars().all(is_character) {
            return Err(UsageError::FieldLength);
        }
        self.content(name, &[], text)
    }

    pub(super) fn optional_text(&mut self, name: &'static str, text: Option<&str>) -> Result<(), UsageError> {
        text.map_or(Ok(()), |text| self.text(name, text))
    }

    pub(super) fn time(&mut self, name: &'static str, at: Timestamp) -> Result<(), UsageError> {
        self.content(name, &[], &date_time::write(at)?)
    }

    pub(super) fn optional_time(&mut self, name: &'static str, at: Option<Timestamp>) -> Result<(), UsageError> {
        at.map_or(Ok(()), |at| self.time(name, at))
    }

    /// Octets in hexadecimal.
    pub(super) fn hex(&mut self, name: &'static str, octets: &[u8]) -> Result<(), UsageError> {
        self.hex_with(name, &[], octets)
    }

    /// A key in hexadecimal, of type KeyContentType.
    pub(super) fn key(&mut self, name: &'static str, octets: &[u8]) -> Result<(), UsageError> {
        self.hex_with(name, &[("xsi:type", "KeyContentType")], octets)
    }

    fn hex_with(&mut self, name: &'static str, attributes: &[(&str, &str)], octets: &[u8]) -> Result<(), UsageError> {
        let mut text = Zeroizing::new(vec![0; 2 * octets.len()]);
        let text = on_clean_stack(Reach::Octets, || base16ct::upper::encode_str(octets, &mut text));
        let text = text.map_err(|_| UsageError::FieldLength)?;
        self.content(name, attributes, text)
    }

    /// An element with text that needs no check.
    fn content(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) -> Result<(), UsageError> {
        self.element(name, attributes, |writer| writer.write(Event::Text(BytesText::new(text))))
    }

    fn write(&mut self, event: Event<'_>) -> Result<(), UsageError> {
        // Writing to memory does not fail.
        self.0.write_event(event).map_err(|_| UsageError::FieldLength)
    }
}
