//! Which column of an item file is what.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::column::AttributeKind;
use super::record::{AttributeValue, ItemRecord};
use crate::ids::MAX_ID_BYTES;
use crate::params::{ParamError, ParamSpec, Validate};
use crate::source::{RejectReason, TimeFormat};

/// Which columns of a file (or fields of a JSON object) hold an item's id, attributes, price, stock and dates.
///
/// Columns are named as in the header; a field below another as `price.amount`. An empty cell, `null` and an absent
/// field say nothing.
///
/// | what | reads |
/// |---|---|
/// | id | text, or a whole number; taken as it is, blanks included |
/// | category | a path, its levels between separators; a JSON array is several paths, an array in it one path by levels |
/// | tag, tags | one value, or several between separators; a JSON array is several values |
/// | text | text; a JSON array is joined by blanks |
/// | number, price | a number with a decimal point |
/// | stock | a number, below zero is none left, parts count as one more; `true`, `yes`, `in stock` (of unknown number) or `false`, `no`, `out of stock` |
/// | released, expires | a time by [`TimeFormat`] |
///
/// Two columns may feed one category or tags attribute; the item then has the values of both.
///
/// # Example
/// ```
/// use likewise::CatalogColumns;
/// let columns = CatalogColumns::new("sku")
///     .category("category", "product_type", '/')
///     .tag("brand", "brand")
///     .tags("colour", "colours", '|')
///     .text("title", "name")
///     .number("weight", "weight_g")
///     .price("price")
///     .stock("stock");
/// let text = serde_json::to_string(&columns)?;
/// assert_eq!(serde_json::from_str::<CatalogColumns>(&text)?, columns);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogColumns {
    id: String,
    #[serde(default)]
    attributes: Vec<AttributeColumn>,
    #[serde(default)]
    price: Option<String>,
    #[serde(default)]
    stock: Option<String>,
    #[serde(default)]
    released: Option<String>,
    #[serde(default)]
    expires: Option<String>,
    #[serde(default)]
    time: TimeFormat,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeColumn {
    attribute: String,
    column: String,
    kind: AttributeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    separator: Option<char>,
}

/// The slots of a record; those of attributes come after them.
const SLOTS: [&str; 5] = ["item", "price", "stock", "released", "expires"];
const ID: usize = 0;
const PRICE: usize = 1;
const STOCK: usize = 2;
const RELEASED: usize = 3;
const EXPIRES: usize = 4;

/// The values of one column in one record: none, one, or several.
pub(super) type Cell<'a> = Vec<Cow<'a, str>>;

impl CatalogColumns {
    /// The id by this column.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            attributes: Vec::new(),
            price: None,
            stock: None,
            released: None,
            expires: None,
            time: TimeFormat::default(),
        }
    }

    /// A category attribute by a column of paths, their levels between `separator`s. A `>` separates in any case.
    #[must_use]
    pub fn category(self, attribute: impl Into<String>, column: impl Into<String>, separator: char) -> Self {
        self.with(attribute.into(), column.into(), AttributeKind::Category, Some(separator))
    }

    /// A tags attribute by a column that holds one value.
    #[must_use]
    pub fn tag(self, attribute: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(attribute.into(), column.into(), AttributeKind::Tags, None)
    }

    /// A tags attribute by a column that holds values between `separator`s.
    #[must_use]
    pub fn tags(self, attribute: impl Into<String>, column: impl Into<String>, separator: char) -> Self {
        self.with(attribute.into(), column.into(), AttributeKind::Tags, Some(separator))
    }

    /// A text attribute by a column.
    #[must_use]
    pub fn text(self, attribute: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(attribute.into(), column.into(), AttributeKind::Text, None)
    }

    /// A numeric attribute by a column.
    #[must_use]
    pub fn number(self, attribute: impl Into<String>, column: impl Into<String>) -> Self {
        self.with(attribute.into(), column.into(), AttributeKind::Number, None)
    }

    fn with(mut self, attribute: String, column: String, kind: AttributeKind, separator: Option<char>) -> Self {
        self.attributes.push(AttributeColumn { attribute, column, kind, separator });
        self
    }

    /// The price of one unit by this column.
    #[must_use]
    pub fn price(mut self, column: impl Into<String>) -> Self {
        self.price = Some(column.into());
        self
    }

    /// The units in stock by this column.
    #[must_use]
    pub fn stock(mut self, column: impl Into<String>) -> Self {
        self.stock = Some(column.into());
        self
    }

    /// The moment of release by this column.
    #[must_use]
    pub fn released(mut self, column: impl Into<String>) -> Self {
        self.released = Some(column.into());
        self
    }

    /// The moment of expiry by this column.
    #[must_use]
    pub fn expires(mut self, column: impl Into<String>) -> Self {
        self.expires = Some(column.into());
        self
    }

    /// How both dates are written; recognised by their shape unless this says otherwise.
    #[must_use]
    pub fn time(mut self, format: TimeFormat) -> Self {
        self.time = format;
        self
    }

    /// The attributes it feeds, each at least once.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, AttributeKind)> {
        self.attributes.iter().map(|a| (a.attribute.as_str(), a.kind))
    }

    /// The mapped columns with their slots.
    pub(super) fn mapped(&self) -> impl Iterator<Item = (usize, &str)> {
        let parts = [
            (ID, Some(&self.id)),
            (PRICE, self.price.as_ref()),
            (STOCK, self.stock.as_ref()),
            (RELEASED, self.released.as_ref()),
            (EXPIRES, self.expires.as_ref()),
        ];
        let parts = parts.into_iter().filter_map(|(slot, column)| Some((slot, column?.as_str())));
        parts.chain(self.attributes.iter().enumerate().map(|(i, a)| (SLOTS.len() + i, a.column.as_str())))
    }

    /// How many slots a record has.
    pub(super) fn n_slots(&self) -> usize {
        SLOTS.len() + self.attributes.len()
    }

    /// Whether a slot holds paths.
    #[cfg(feature = "json")]
    pub(super) fn is_category(&self, slot: usize) -> bool {
        let attribute = slot.checked_sub(SLOTS.len()).and_then(|i| self.attributes.get(i));
        attribute.is_some_and(|a| a.kind == AttributeKind::Category)
    }

    /// The item of a record, given by the cells of its slots.
    pub(super) fn item<'r>(&self, cells: &'r [Cell<'_>]) -> Result<ItemRecord<'r>, RejectReason>
    where
        Self: 'r,
    {
        let id = one(&cells[ID])?.ok_or(RejectReason::Missing { field: SLOTS[ID] })?;
        let mut item = ItemRecord::new(id);
        let price = one(&cells[PRICE])?.map(|text| number(text).ok_or(RejectReason::BadPrice));
        item.price = price.transpose()?;
        item.stock = match one(&cells[STOCK])? {
            Some(text) => stock(text).ok_or(RejectReason::BadNumber { field: SLOTS[STOCK] })?,
            None => None,
        };
        let time = |cell| one(cell)?.map(|text| self.time.read(text).ok_or(RejectReason::BadTime)).transpose();
        item.released = time(&cells[RELEASED])?;
        item.expires = time(&cells[EXPIRES])?;
        for (mapped, cell) in self.attributes.iter().zip(&cells[SLOTS.len()..]) {
            let name = || mapped.attribute.clone();
            item = match mapped.kind {
                AttributeKind::Category => {
                    paths(cell, mapped.separator).fold(item, |item, path| item.category(name(), path))
                }
                AttributeKind::Tags => values(cell, mapped.separator).fold(item, |item, tag| item.tag(name(), tag)),
                AttributeKind::Text if cell.is_empty() => item,
                AttributeKind::Text => item.value(name(), AttributeValue::Text(cell.join(" ").into())),
                AttributeKind::Number => match one(cell)? {
                    Some(text) => {
                        let bad = || RejectReason::BadAttribute { attribute: name() };
                        item.number(name(), number(text).ok_or_else(bad)?)
                    }
                    None => item,
                },
            };
        }
        Ok(item)
    }
}

impl Validate for CatalogColumns {
    fn table() -> &'static [ParamSpec] {
        const NAME: &str = "a column's name, or none";
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("id", "a column's name", "which item"),
            ParamSpec::typed("attributes", "columns with attribute, kind and separator", "what is known of it"),
            ParamSpec::typed("price", NAME, "price of a unit"),
            ParamSpec::typed("stock", NAME, "units in stock"),
            ParamSpec::typed("released", NAME, "on sale from then on"),
            ParamSpec::typed("expires", NAME, "off sale from then on"),
            ParamSpec::typed("time", "a time format", "how dates are written"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if let Some((slot, name)) = self.mapped().find(|(_, name)| name.trim().is_empty()) {
            let param = if slot == ID { "id" } else { slot_name(slot) };
            return Err(ParamError::new(param, format!("{name:?}"), "the name of a column"));
        }
        for (i, a) in self.attributes.iter().enumerate() {
            let refuse = |what: &str| Err(ParamError::new("attributes", format!("{:?}", a.attribute), what));
            if a.attribute.is_empty() || a.attribute.len() > MAX_ID_BYTES {
                return refuse("a name of 1 to 4096 bytes");
            }
            let coded = matches!(a.kind, AttributeKind::Category | AttributeKind::Tags);
            if !coded && a.separator.is_some() {
                return refuse("no separator, as a text or number is one value");
            }
            match self.attributes[..i].iter().find(|other| other.attribute == a.attribute) {
                Some(other) if other.kind != a.kind => return refuse("the same kind for all its columns"),
                Some(_) if !coded => return refuse("one column, as a text or number is one value"),
                _ => {}
            }
        }
        self.time.validate()
    }
}

/// The name of a slot for a report; attributes share one.
pub(super) fn slot_name(slot: usize) -> &'static str {
    SLOTS.get(slot).copied().unwrap_or("attributes")
}

/// The only value of a cell, unless there is nothing but blanks.
fn one<'c>(cell: &'c Cell<'_>) -> Result<Option<&'c str>, RejectReason> {
    match cell.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some(&**value).filter(|value| !value.trim_ascii().is_empty())),
        _ => Err(RejectReason::Malformed),
    }
}

/// The paths of a cell in the spelling with `>`.
fn paths<'c>(cell: &'c Cell<'_>, separator: Option<char>) -> impl Iterator<Item = Cow<'c, str>> {
    cell.iter().map(move |path| match separator {
        Some(separator) if separator != '>' => Cow::Owned(path.replace(separator, ">")),
        _ => Cow::Borrowed(&**path),
    })
}

/// The values of a cell.
fn values<'c>(cell: &'c Cell<'_>, separator: Option<char>) -> impl Iterator<Item = &'c str> {
    cell.iter().flat_map(move |text| {
        let (mut parts, mut whole) = (separator.map(|s| text.split(s)), separator.is_none().then_some(&**text));
        std::iter::from_fn(move || parts.as_mut().and_then(Iterator::next).or_else(|| whole.take()))
    })
}

fn number(text: &str) -> Option<f64> {
    text.trim_ascii().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Units in stock: a number of them, not said, or nonsense.
fn stock(text: &str) -> Option<Option<u32>> {
    match text.trim_ascii().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
        "true" | "yes" | "in_stock" => Some(None),
        "false" | "no" | "out_of_stock" => Some(Some(0)),
        // The cast saturates at both ends.
        _ => number(text).map(|units| Some(units.ceil() as u32)),
    }
}
