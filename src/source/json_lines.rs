//! Events from JSON lines: one object a line, as log shippers and queues write them.
//!
//! Only the mapped fields are taken out of a line; all others are skipped unread. One line buffer and one text buffer
//! are reused throughout, so nothing is allocated per event.

mod blocks;

pub use blocks::JsonLinesParser;

use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::blocks::{Block, BlockParser, BlockSource, Cutter, Lines};
use super::mapping::{Columns, Fields, Mapper, slot_name};
use super::text::open_text;
use super::{EventSource, Flow, Offered, RejectReason, SourceError};
use blocks::Short;

/// The longest line that is read. A longer one is [`RejectReason::Malformed`] and is not held in memory.
const MAX_LINE: u64 = 1 << 24;

/// The largest float that still counts whole numbers one by one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Events from text with one JSON object a line.
///
/// Ids and times may be strings or numbers (`17850` and `17850.0` are both the id `17850`); `null` is the same as
/// absent. Empty lines are skipped. A line that is no object, or has an object or array where a mapped field should be,
/// is offered as [`RejectReason::Malformed`]; a whole number beyond 2^53 that is not written as a 64-bit integer as
/// [`RejectReason::BadNumber`], because digits of it would be lost. Where a field occurs twice, the last one counts.
///
/// # Example
/// ```
/// use likewise::{Columns, DatasetBuilder, JsonLines, LawfulBasis, TimeFormat};
/// let text = r#"
/// {"user": {"id": 17850}, "sku": "85123A", "event": "view", "ts": 1291191960}
/// {"user": {"id": 17850}, "sku": "85123A", "event": "buy", "ts": 1291192020, "extra": [1, 2]}
/// not json
/// "#;
/// let columns = Columns::new("user.id", "sku", LawfulBasis::Consent)
///     .kind_column("event")
///     .time("ts", TimeFormat::UnixSeconds);
/// let mut builder = DatasetBuilder::default();
/// let report = builder.ingest(JsonLines::from_reader(text.as_bytes(), columns)?)?;
/// assert_eq!((report.offered, report.accepted), (3, 2));
/// assert!(builder.build()?.user("17850").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JsonLines<R> {
    input: Input<R>,
    mapper: Mapper,
    tree: Node,
    line: Vec<u8>,
    number: u64,
    found: Found,
}

enum Input<R> {
    /// Line by line.
    Lines(R),
    /// Block by block.
    Blocks(Cutter<Short<R>, Lines>),
    /// On the way from the one to the other.
    Moving,
}

/// The mapped names as a tree: `user.id` is `id` below `user`.
#[derive(Clone, Debug, Default)]
struct Node {
    slots: Vec<usize>,
    children: Vec<(String, Node)>,
}

impl Node {
    fn of(columns: &Columns) -> Self {
        let mut root = Self::default();
        for (slot, name) in columns.mapped() {
            name.split('.').fold(&mut root, Self::child).slots.push(slot);
            if name.contains('.') {
                root.child(name).slots.push(slot); // flattened objects have keys with dots
            }
        }
        root
    }

    fn child(&mut self, name: &str) -> &mut Self {
        let at = self.children.iter().position(|(key, _)| key == name).unwrap_or_else(|| {
            self.children.push((name.to_owned(), Self::default()));
            self.children.len() - 1
        });
        &mut self.children[at].1
    }
}

/// The mapped fields of one line, laid end to end.
#[derive(Debug, Default)]
struct Found {
    text: String,
    spans: Vec<Range<usize>>,
    /// The slot being read, to name the field that is not UTF-8.
    current: Option<usize>,
    reason: Option<RejectReason>,
}

impl Found {
    fn clear(&mut self) {
        self.text.clear();
        self.spans.fill(0..0);
        self.current = None;
        self.reason = None;
    }

    /// Puts the text that `write` appends into these slots.
    fn put(&mut self, slots: &[usize], write: impl FnOnce(&mut String)) {
        let from = self.text.len();
        write(&mut self.text);
        for &slot in slots {
            self.spans[slot] = from..self.text.len();
        }
    }
}

impl<R> fmt::Debug for JsonLines<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").field("mapper", &self.mapper).field("line", &self.number).finish_non_exhaustive()
    }
}

impl JsonLines<Box<dyn BufRead + Send>> {
    /// Opens a file; `.gz` is decompressed on the way.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be opened or the mapping is not valid.
    pub fn open(path: impl AsRef<Path>, columns: Columns) -> Result<Self, SourceError> {
        Self::from_reader(open_text(path.as_ref())?, columns)
    }
}

impl<R: BufRead> JsonLines<R> {
    /// Reads from `reader`.
    ///
    /// # Errors
    /// [`SourceError::Mapping`] when the mapping is not valid.
    pub fn from_reader(reader: R, columns: Columns) -> Result<Self, SourceError> {
        let mapper = Mapper::new(columns)?;
        let found = Found { spans: vec![0..0; mapper.columns().n_slots()], ..Found::default() };
        let (input, tree) = (Input::Lines(reader), Node::of(mapper.columns()));
        Ok(Self { input, tree, mapper, line: Vec::new(), number: 0, found })
    }

    /// Leaves out the records for which `rule` says so, counted as [`RejectReason::LeftOut`] for this reason.
    ///
    /// Rules run in the order they were given, before anything else about the record is checked.
    #[must_use]
    pub fn leave_out(mut self, reason: &'static str, rule: impl FnMut(&Fields<'_>) -> bool + Send + 'static) -> Self {
        self.mapper.leave_out(reason, Box::new(rule));
        self
    }

    /// Reads the next line into the buffer; what is left of one beyond [`MAX_LINE`] is skipped.
    fn next_line(&mut self) -> io::Result<Line> {
        self.line.clear();
        let Input::Lines(reader) = &mut self.input else { return Ok(Line::End) };
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        if self.line.ends_with(b"\n") || (self.line.len() as u64) < MAX_LINE {
            return Ok(Line::Whole);
        }
        self.line.clear();
        self.line.shrink_to_fit();
        reader.skip_until(b'\n')?;
        Ok(Line::TooLong)
    }
}

enum Line {
    Whole,
    TooLong,
    End,
}

impl<R: BufRead> EventSource for JsonLines<R> {
    type Error = SourceError;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), SourceError> {
        if matches!(self.input, Input::Blocks(_))
            && let Some(parser) = self.parser()?
        {
            let (mut block, mut flow) = (Block::default(), Flow::Continue);
            while flow == Flow::Continue && self.fill(&mut block)? {
                parser.parse(&block, &mut |offered| {
                    flow = sink(offered);
                    flow
                });
            }
            return Ok(());
        }
        loop {
            let line = self.next_line().map_err(|source| SourceError::read(self.number, source))?;
            let Self { mapper, tree, found, .. } = self;
            let event = match line {
                Line::End => return Ok(()),
                Line::TooLong => {
                    mapper.arrive();
                    Err(RejectReason::Malformed)
                }
                Line::Whole => {
                    let text = content(&self.line, self.number);
                    if text.is_empty() {
                        continue;
                    }
                    mapper.arrive();
                    match found.read(tree, text) {
                        Ok(()) => mapper.event(&found.text, &found.spans),
                        Err(reason) => Err(reason),
                    }
                }
            };
            if sink(Offered { line: Some(self.number), event }) == Flow::Stop {
                return Ok(());
            }
        }
    }
}

/// A line without what is around its object; a byte-order mark may begin the first.
fn content(line: &[u8], number: u64) -> &[u8] {
    let mark: &[u8] = if number == 1 { b"\xEF\xBB\xBF" } else { b"" };
    line.strip_prefix(mark).unwrap_or(line).trim_ascii()
}

impl Found {
    /// Takes the mapped fields out of one line.
    fn read(&mut self, tree: &Node, line: &[u8]) -> Result<(), RejectReason> {
        self.clear();
        let mut json = serde_json::Deserializer::from_slice(line);
        let outcome = json.deserialize_map(Object { tree, found: self }).and_then(|()| json.end());
        match (outcome, self.reason.take()) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(reason)) => Err(reason),
            (Err(_), _) if str::from_utf8(line).is_err() => {
                Err(RejectReason::NotUtf8 { field: self.current.map_or("the line", slot_name) })
            }
            (Err(_), _) => Err(RejectReason::Malformed),
        }
    }
}

/// Visits an object, and looks for the children of `tree` in it.
struct Object<'a> {
    tree: &'a Node,
    found: &'a mut Found,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Key(self.tree))? {
            match child {
                Some(node) => {
                    self.found.current = node.slots.first().copied();
                    map.next_value_seed(Value { node, found: self.found })?;
                    self.found.current = None;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a key as the child of a node, if it is one.
struct Key<'a>(&'a Node);

impl<'de, 'a> DeserializeSeed<'de> for Key<'a> {
    type Value = Option<&'a Node>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Option<&'a Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.children.iter().find(|(name, _)| name == key).map(|(_, node)| node))
    }
}

/// Reads a value of interest: a field, or an object with fields below.
struct Value<'a> {
    node: &'a Node,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl Value<'_> {
    fn put(self, write: impl FnOnce(&mut String)) {
        self.found.put(&self.node.slots, write);
    }

    fn put_display(self, value: impl fmt::Display) {
        use fmt::Write;
        // Writing to a `String` cannot fail.
        self.put(|text| {
            let _ = write!(text, "{value}");
        });
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.put(|text| text.push_str(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.put_display(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.put_display(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        if value.abs() > EXACT
            && let Some(&slot) = self.node.slots.first()
        {
            self.found.reason.get_or_insert(RejectReason::BadNumber { field: slot_name(slot) });
        }
        self.put_display(value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put_display(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(|_| ());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.node.slots.is_empty() {
            self.found.reason.get_or_insert(RejectReason::Malformed);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.node.slots.is_empty() {
            return Object { tree: self.node, found: self.found }.visit_map(map);
        }
        while let Some(key) = map.next_key::<IsNumber>()? {
            if key.0 {
                let text: String = map.next_value()?;
                return match text.parse() {
                    Ok(number) if text.contains(['.', 'e', 'E']) => self.visit_f64(number),
                    _ => self.visit_str(&text),
                };
            }
            map.next_value::<IgnoredAny>()?;
        }
        self.found.reason.get_or_insert(RejectReason::Malformed);
        Ok(())
    }
}

/// Whether a key says that its object stands for a number: what serde_json hands over where some crate of the program
/// has turned on its feature `arbitrary_precision`.
struct IsNumber(bool);

impl<'de> serde::Deserialize<'de> for IsNumber {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = IsNumber;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<IsNumber, E> {
                Ok(IsNumber(key == "$serde_json::private::Number"))
            }
        }
        d.deserialize_str(Text)
    }
}
