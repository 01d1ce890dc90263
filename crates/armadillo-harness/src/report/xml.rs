//! XML elements, one after the other. Characters that XML cannot carry are replaced by others that can be seen; escape
//! sequences of a terminal are removed.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::terminal::{symbol, tamed};

/// An attribute: its name and its value.
pub(super) type Attribute<'a> = (&'a str, &'a str);

/// A document that is being written.
pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    pub(super) fn new() -> io::Result<Self> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 4);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(Self(writer))
    }

    /// Begins an element.
    pub(super) fn open(&mut self, name: &str, attributes: &[Attribute<'_>]) -> io::Result<()> {
        self.0.write_event(Event::Start(start(name, attributes)))
    }

    /// Ends the element that began last.
    pub(super) fn close(&mut self, name: &str) -> io::Result<()> {
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: &[Attribute<'_>]) -> io::Result<()> {
        self.0.write_event(Event::Empty(start(name, attributes)))
    }

    /// Text inside the element that began last.
    fn text(&mut self, text: &str) -> io::Result<()> {
        self.0
            .write_event(Event::Text(BytesText::new(&carried(text))))
    }

    /// An element with nothing but text.
    pub(super) fn element(
        &mut self,
        name: &str,
        attributes: &[Attribute<'_>],
        text: &str,
    ) -> io::Result<()> {
        self.open(name, attributes)?;
        self.text(text)?;
        self.close(name)
    }

    /// The document, with the end of its last line.
    pub(super) fn finish(mut self) -> io::Result<String> {
        self.0.write_indent()?;
        String::from_utf8(self.0.into_inner()).map_err(io::Error::other)
    }
}

fn start<'a>(name: &'a str, attributes: &[Attribute<'_>]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (name, value) in attributes {
        start.push_attribute((*name, carried(value).as_str()));
    }
    start
}

/// What XML can carry of a text: characters that it forbids are replaced by their symbols (`␀`), or by `\u{fffd}`.
fn carried(text: &str) -> String {
    let carried = |c| match c {
        '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => c,
        c => symbol(c),
    };
    tamed(text, false).chars().map(carried).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_carry_is_replaced_and_the_rest_is_escaped() {
        let mut xml = Xml::new().unwrap();
        xml.element(
            "a",
            &[("b", "\u{1b}[31m\"<\u{1}>\"")],
            "x\0 & \u{ffff}\u{fffe}y\tz\u{1b}[0m",
        )
        .unwrap();
        let text = xml.finish().unwrap();
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"&quot;&lt;␁&gt;&quot;\">x␀ &amp; \u{fffd}\u{fffd}y\tz</a>\n"
        );
    }
}
