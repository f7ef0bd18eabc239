//! One item in the shop's own words, borrowed or owned.

use std::borrow::Cow;

use super::column::AttributeKind;
use crate::time::Timestamp;

/// What an item has for one attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue<'a> {
    /// Paths such as `Home > Kitchen > Mugs`; most items have one. Empty levels are left out.
    Category(Vec<Cow<'a, str>>),
    /// Values; surrounding space and empty ones are left out.
    Tags(Vec<Cow<'a, str>>),
    /// Running text.
    Text(Cow<'a, str>),
    /// A finite number.
    Number(f64),
}

impl<'a> AttributeValue<'a> {
    /// One category path.
    #[must_use]
    pub fn category(path: impl Into<Cow<'a, str>>) -> Self {
        Self::Category(vec![path.into()])
    }

    /// One or more tags.
    #[must_use]
    pub fn tags<V: Into<Cow<'a, str>>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::Tags(values.into_iter().map(Into::into).collect())
    }

    /// The kind of attribute it is a value for.
    #[must_use]
    pub const fn kind(&self) -> AttributeKind {
        match self {
            Self::Category(_) => AttributeKind::Category,
            Self::Tags(_) => AttributeKind::Tags,
            Self::Text(_) => AttributeKind::Text,
            Self::Number(_) => AttributeKind::Number,
        }
    }
}

/// All the catalogue is told of one item. What is not said is not known: no price, no stock count, always for sale.
///
/// # Example
/// ```
/// use likewise::{ItemRecord, Timestamp};
/// let mug = ItemRecord::new("mug-1")
///     .category("category", "Home > Kitchen > Mugs")
///     .tag("brand", "Acme")
///     .text("title", "Blue mug")
///     .number("weight_g", 310.0)
///     .price(7.5)
///     .stock(12)
///     .released(Timestamp::from_secs(1_700_000_000));
/// # let _ = mug;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ItemRecord<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) values: Vec<(Cow<'a, str>, AttributeValue<'a>)>,
    pub(crate) price: Option<f64>,
    pub(crate) stock: Option<u32>,
    pub(crate) released: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

impl<'a> ItemRecord<'a> {
    /// An item of which nothing but its id is known.
    #[must_use]
    pub fn new(id: impl Into<Cow<'a, str>>) -> Self {
        Self { id: id.into(), values: Vec::new(), price: None, stock: None, released: None, expires: None }
    }

    /// With a value for an attribute, in place of one given before.
    #[must_use]
    pub fn value(mut self, attribute: impl Into<Cow<'a, str>>, value: AttributeValue<'a>) -> Self {
        let attribute = attribute.into();
        match self.values.iter_mut().find(|(name, _)| *name == attribute) {
            Some((_, given)) => *given = value,
            None => self.values.push((attribute, value)),
        }
        self
    }

    /// With a category path, beside those given before.
    #[must_use]
    pub fn category(mut self, attribute: impl Into<Cow<'a, str>>, path: impl Into<Cow<'a, str>>) -> Self {
        let attribute = attribute.into();
        for (name, value) in &mut self.values {
            if let AttributeValue::Category(paths) = value
                && *name == attribute
            {
                paths.push(path.into());
                return self;
            }
        }
        self.value(attribute, AttributeValue::category(path))
    }

    /// With a tag, beside those given before.
    #[must_use]
    pub fn tag(mut self, attribute: impl Into<Cow<'a, str>>, tag: impl Into<Cow<'a, str>>) -> Self {
        let attribute = attribute.into();
        for (name, value) in &mut self.values {
            if let AttributeValue::Tags(tags) = value
                && *name == attribute
            {
                tags.push(tag.into());
                return self;
            }
        }
        self.value(attribute, AttributeValue::Tags(vec![tag.into()]))
    }

    /// With a text.
    #[must_use]
    pub fn text(self, attribute: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> Self {
        self.value(attribute, AttributeValue::Text(text.into()))
    }

    /// With a number.
    #[must_use]
    pub fn number(self, attribute: impl Into<Cow<'a, str>>, number: f64) -> Self {
        self.value(attribute, AttributeValue::Number(number))
    }

    /// With the price of one unit, in the shop's currency; finite, at least 0.
    #[must_use]
    pub const fn price(mut self, price: f64) -> Self {
        self.price = Some(price);
        self
    }

    /// With the units in stock; 0 takes it off sale.
    #[must_use]
    pub const fn stock(mut self, units: u32) -> Self {
        self.stock = Some(units);
        self
    }

    /// On sale from this moment on.
    #[must_use]
    pub const fn released(mut self, at: Timestamp) -> Self {
        self.released = Some(at);
        self
    }

    /// Off sale from this moment on.
    #[must_use]
    pub const fn expires(mut self, at: Timestamp) -> Self {
        self.expires = Some(at);
        self
    }
}
