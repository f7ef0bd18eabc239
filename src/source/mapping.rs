//! Which column is what? The mapping from named fields of text to events, shared by every text source.
//!
//! [`Columns`] is data: it can be written by hand or read from configuration. [`Mapper`] applies it to one record after
//! the other; [`Fields`] is one record as a rule sees it.

mod mapper;

pub(super) use mapper::Mapper;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::TimeFormat;
use crate::consent::LawfulBasis;
use crate::event::EventKind;
use crate::params::{ParamError, ParamSpec, Validate};
use crate::time::Timestamp;

/// What a quantity below zero means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NegativeQuantity {
    /// A mistake: [`RejectReason::BadQuantity`](crate::RejectReason::BadQuantity).
    #[default]
    Reject,
    /// A purchase of -2 is an [`EventKind::Return`] of 2, as in many accounting exports. Other kinds are rejected.
    Return,
}

/// Names the columns (or JSON fields) that hold the parts of an event.
///
/// | part | set by | where the column is empty or not mapped |
/// |---|---|---|
/// | user | [`new`](Self::new) | anonymous by session; without a session rejected as [`RejectReason::NoShopper`](crate::RejectReason::NoShopper) |
/// | item | [`new`](Self::new) | rejected, unless it is a search |
/// | kind | [`kind`](Self::kind), [`kind_column`](Self::kind_column) | rejected if mapped; [`EventKind::View`] if nothing was said |
/// | time | [`time`](Self::time) | rejected if mapped; order of arrival otherwise, see [`arrival`](Self::arrival) |
/// | quantity | [`quantity`](Self::quantity) | 1 |
/// | value | [`value`](Self::value) | none |
/// | session | [`session`](Self::session) | none: sessions are told apart by pauses |
/// | channel, id, query | their methods | none |
/// | consent | [`consent`](Self::consent) | if mapped: no consent, so anonymous by session |
///
/// User, item, session and event ids are taken byte for byte; blanks around numbers, times, kinds and consents do not
/// matter, and a field of blanks alone is empty. In JSON a name with dots is a path (`context.user.id`).
///
/// # Example
/// ```
/// use likewise::{Columns, EventKind, LawfulBasis, NegativeQuantity, TimeFormat};
/// let invoices = Columns::new("CustomerID", "StockCode", LawfulBasis::Contract)
///     .kind(EventKind::Purchase)
///     .time("InvoiceDate", TimeFormat::Auto)
///     .quantity("Quantity", NegativeQuantity::Return)
///     .value("UnitPrice")
///     .session("InvoiceNo");
/// let text = serde_json::to_string(&invoices)?;
/// assert_eq!(serde_json::from_str::<Columns>(&text)?, invoices);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    #[serde(default)]
    user: Option<UserColumn>,
    item: String,
    #[serde(default)]
    kind: KindFrom,
    #[serde(default)]
    kind_names: Vec<(String, EventKind)>,
    #[serde(default)]
    time: TimeFrom,
    #[serde(default)]
    quantity: Option<String>,
    #[serde(default)]
    negative_quantity: NegativeQuantity,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    consent: Option<String>,
    #[serde(default)]
    also: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserColumn {
    column: String,
    basis: LawfulBasis,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindFrom {
    Constant(EventKind),
    Column(String),
}

impl Default for KindFrom {
    fn default() -> Self {
        Self::Constant(EventKind::View)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum TimeFrom {
    Column {
        column: String,
        #[serde(default)]
        format: TimeFormat,
    },
    Arrival {
        from: Timestamp,
    },
}

impl Default for TimeFrom {
    fn default() -> Self {
        Self::Arrival { from: Timestamp::default() }
    }
}

/// The parts of an event in text, as places in a record's list of spans; columns for rules come after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    User,
    Item,
    Kind,
    Time,
    Quantity,
    Value,
    Session,
    Channel,
    Id,
    Query,
    Consent,
}

const SLOTS: [&str; 11] =
    ["user", "item", "kind", "time", "quantity", "value", "session", "channel", "id", "query", "consent"];

/// The name of a slot for a report; columns for rules share one.
pub(super) fn slot_name(slot: usize) -> &'static str {
    SLOTS.get(slot).copied().unwrap_or("a column for rules")
}

macro_rules! column_setters {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, column: impl Into<String>) -> Self {
            self.$name = Some(column.into());
            self
        }
    )*};
}

impl Columns {
    /// User and item by these columns. User ids may be tied to profiles on this basis.
    #[must_use]
    pub fn new(user: impl Into<String>, item: impl Into<String>, basis: LawfulBasis) -> Self {
        let user = UserColumn { column: user.into(), basis };
        Self { user: Some(user), ..Self::items(item.into()) }
    }

    /// Session and item by these columns, and nobody is profiled.
    #[must_use]
    pub fn anonymous(session: impl Into<String>, item: impl Into<String>) -> Self {
        Self::items(item.into()).session(session)
    }

    fn items(item: String) -> Self {
        Self {
            user: None,
            item,
            kind: KindFrom::default(),
            kind_names: Vec::new(),
            time: TimeFrom::default(),
            quantity: None,
            negative_quantity: NegativeQuantity::default(),
            value: None,
            session: None,
            channel: None,
            id: None,
            query: None,
            consent: None,
            also: Vec::new(),
        }
    }

    /// Every record is an event of this kind.
    #[must_use]
    pub fn kind(mut self, kind: EventKind) -> Self {
        self.kind = KindFrom::Constant(kind);
        self
    }

    /// The kind by this column, spelled as [`EventKind::from_str`](EventKind#method.from_str) understands it.
    #[must_use]
    pub fn kind_column(mut self, column: impl Into<String>) -> Self {
        self.kind = KindFrom::Column(column.into());
        self
    }

    /// In the column of kinds, exactly this text means this kind.
    #[must_use]
    pub fn kind_named(mut self, text: impl Into<String>, kind: EventKind) -> Self {
        self.kind_names.push((text.into(), kind));
        self
    }

    /// The time by this column.
    #[must_use]
    pub fn time(mut self, column: impl Into<String>, format: TimeFormat) -> Self {
        self.time = TimeFrom::Column { column: column.into(), format };
        self
    }

    /// No time is recorded, only order: record `n` of the source (counted from 0, rejected ones too) happened `n`
    /// milliseconds after `from`. This is the default, from 1970.
    ///
    /// Half-lives and pauses between sessions mean nothing then.
    #[must_use]
    pub fn arrival(mut self, from: Timestamp) -> Self {
        self.time = TimeFrom::Arrival { from };
        self
    }

    /// Units by this column, and what a number below zero means.
    #[must_use]
    pub fn quantity(mut self, column: impl Into<String>, negative: NegativeQuantity) -> Self {
        self.quantity = Some(column.into());
        self.negative_quantity = negative;
        self
    }

    column_setters! {
        /// Price of a unit, or the rating, by this column.
        value,
        /// Session, visit, invoice or basket by this column.
        session,
        /// Channel by this column, as [`Channel::parse`](crate::Channel::parse) reads it.
        channel,
        /// The event's own id by this column: a second delivery counts once.
        id,
        /// The text of a search by this column.
        query,
        /// Whether the shopper agreed, by this column: only `true`, `t`, `yes`, `y` and `1`, in any case, open a
        /// profile. All others are anonymous by session.
        consent,
    }

    /// Another column, for rules to read by [`Fields::get`].
    #[must_use]
    pub fn also(mut self, column: impl Into<String>) -> Self {
        self.also.push(column.into());
        self
    }

    /// The mapped columns with their slots.
    pub(super) fn mapped(&self) -> impl Iterator<Item = (usize, &str)> {
        let kind = match &self.kind {
            KindFrom::Column(column) => Some(column),
            KindFrom::Constant(_) => None,
        };
        let time = match &self.time {
            TimeFrom::Column { column, .. } => Some(column),
            TimeFrom::Arrival { .. } => None,
        };
        let parts = [
            (Slot::User, self.user.as_ref().map(|user| &user.column)),
            (Slot::Item, Some(&self.item)),
            (Slot::Kind, kind),
            (Slot::Time, time),
            (Slot::Quantity, self.quantity.as_ref()),
            (Slot::Value, self.value.as_ref()),
            (Slot::Session, self.session.as_ref()),
            (Slot::Channel, self.channel.as_ref()),
            (Slot::Id, self.id.as_ref()),
            (Slot::Query, self.query.as_ref()),
            (Slot::Consent, self.consent.as_ref()),
        ];
        let parts = parts.into_iter().filter_map(|(slot, column)| Some((slot as usize, column?.as_str())));
        parts.chain(self.also.iter().enumerate().map(|(i, column)| (SLOTS.len() + i, column.as_str())))
    }

    /// How many slots a record has.
    pub(super) fn n_slots(&self) -> usize {
        SLOTS.len() + self.also.len()
    }
}

impl Validate for Columns {
    fn table() -> &'static [ParamSpec] {
        const NAME: &str = "a column's name, or none";
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("user", "a column's name and a lawful basis, or none where there is a session", "who"),
            ParamSpec::typed("item", "a column's name other than the user's", "what"),
            ParamSpec::typed("kind", "a kind, or a column's name", "what happened"),
            ParamSpec::typed("kind_names", "each text once, none empty", "texts that mean a kind"),
            ParamSpec::typed("time", "a column's name and a format, or an instant to count from", "when"),
            ParamSpec::typed("quantity", NAME, "units"),
            ParamSpec::typed("negative_quantity", "reject or return", "what a number of units below zero means"),
            ParamSpec::typed("value", NAME, "price of a unit, or rating"),
            ParamSpec::typed("session", NAME, "session, visit, invoice or basket"),
            ParamSpec::typed("channel", NAME, "where"),
            ParamSpec::typed("id", NAME, "the event's own id"),
            ParamSpec::typed("query", NAME, "the text of a search"),
            ParamSpec::typed("consent", "a column's name, or none; only with a user", "whether the shopper agreed"),
            ParamSpec::typed("also", "columns' names", "columns for rules"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if let Some((slot, name)) = self.mapped().find(|(_, name)| name.trim().is_empty()) {
            let param = SLOTS.get(slot).copied().unwrap_or("also");
            return Err(ParamError::new(param, format!("{name:?}"), "the name of a column"));
        }
        match &self.user {
            Some(user) if user.column == self.item => {
                return Err(ParamError::new("item", &self.item, "another column than the user's"));
            }
            None if self.session.is_none() => {
                return Err(ParamError::new("user", "none", "a column, or a session to be anonymous by"));
            }
            None if self.consent.is_some() => {
                return Err(ParamError::new("consent", "a column", "none, as there is no user to consent"));
            }
            _ => {}
        }
        for (i, (text, _)) in self.kind_names.iter().enumerate() {
            if text.is_empty() || self.kind_names[..i].iter().any(|(other, _)| other == text) {
                return Err(ParamError::new("kind_names", format!("{text:?}"), "each text once, none empty"));
            }
        }
        match &self.time {
            TimeFrom::Column { format, .. } => format.validate(),
            TimeFrom::Arrival { .. } => Ok(()),
        }
    }
}

/// One record, as a rule sees it before anything else is checked: the mapped columns and those of [`Columns::also`].
///
/// An empty field, and one of a column that is not mapped, is `None`.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    columns: &'a Columns,
    text: &'a str,
    spans: &'a [Range<usize>],
}

impl<'a> Fields<'a> {
    /// The item's id; `""` where it is empty.
    #[must_use]
    pub fn item(&self) -> &'a str {
        self.at(Slot::Item).unwrap_or_default()
    }

    /// The user's id.
    #[must_use]
    pub fn user(&self) -> Option<&'a str> {
        self.at(Slot::User)
    }

    /// The session's id.
    #[must_use]
    pub fn session(&self) -> Option<&'a str> {
        self.at(Slot::Session)
    }

    /// The units, below zero too, if it is a number.
    #[must_use]
    pub fn quantity(&self) -> Option<f32> {
        self.at(Slot::Quantity).and_then(|text| text.trim_ascii().parse().ok())
    }

    /// The price or rating, if it is a number.
    #[must_use]
    pub fn value(&self) -> Option<f32> {
        self.at(Slot::Value).and_then(|text| text.trim_ascii().parse().ok())
    }

    /// The text of a column by its name, if the mapping names it at all.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'a str> {
        let (slot, _) = self.columns.mapped().find(|(_, name)| *name == column)?;
        text_at(self.text, self.spans, slot)
    }

    fn at(&self, slot: Slot) -> Option<&'a str> {
        text_at(self.text, self.spans, slot as usize)
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.columns.mapped().map(|(_, name)| (name, self.get(name)))).finish()
    }
}

/// The text of one slot, unless there is nothing but blanks.
fn text_at<'a>(text: &'a str, spans: &[Range<usize>], slot: usize) -> Option<&'a str> {
    let field = text.get(spans.get(slot)?.clone())?;
    match field.as_bytes().first() {
        None => None,
        Some(b'!'..) => Some(field),
        Some(_) => (!field.trim_ascii().is_empty()).then_some(field),
    }
}
