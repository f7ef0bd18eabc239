//! What a shopper did: one event, borrowed from wherever it was read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::consent::Shopper;
use crate::time::Timestamp;

/// What kind of thing happened.
///
/// Spelled in text (and in serde) as `view`, `add_to_cart`, ..., `custom:7`; see [`EventKind::from_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum EventKind {
    /// A product page was seen.
    View,
    /// A listing, banner or recommendation was clicked.
    Click,
    /// An item was shown; it says nothing of interest, only of exposure.
    Impression,
    /// A search led here (or, with no item, a search was made).
    Search,
    /// Put in the cart.
    AddToCart,
    /// Taken out of the cart again; cancels the latest [`EventKind::AddToCart`].
    RemoveFromCart,
    /// Bought.
    Purchase,
    /// Sent back; cancels as many units of the latest [`EventKind::Purchase`]s.
    Return,
    /// Rated; the value is the rating.
    Rating,
    /// Liked, or put on a wish list.
    Like,
    /// Disliked; counts against the item, and cancels a [`EventKind::Like`].
    Dislike,
    /// One of the shop's own kinds.
    Custom(CustomKind),
}

/// The number of a shop's own event kind: `0..=31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomKind(u8);

impl CustomKind {
    /// The largest number.
    pub const MAX: u8 = 31;

    /// A custom kind, or `None` above [`CustomKind::MAX`].
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

const NAMED: [(EventKind, &str); 11] = [
    (EventKind::View, "view"),
    (EventKind::Click, "click"),
    (EventKind::Impression, "impression"),
    (EventKind::Search, "search"),
    (EventKind::AddToCart, "add_to_cart"),
    (EventKind::RemoveFromCart, "remove_from_cart"),
    (EventKind::Purchase, "purchase"),
    (EventKind::Return, "return"),
    (EventKind::Rating, "rating"),
    (EventKind::Like, "like"),
    (EventKind::Dislike, "dislike"),
];

/// Names other systems use for the same kinds, in lower case with `_` for spaces and dashes.
const SYNONYMS: [(&str, EventKind); 16] = [
    ("pageview", EventKind::View),
    ("page_view", EventKind::View),
    ("detail_page_view", EventKind::View),
    ("cart", EventKind::AddToCart),
    ("addtocart", EventKind::AddToCart),
    ("removefromcart", EventKind::RemoveFromCart),
    ("remove", EventKind::RemoveFromCart),
    ("buy", EventKind::Purchase),
    ("order", EventKind::Purchase),
    ("transaction", EventKind::Purchase),
    ("refund", EventKind::Return),
    ("rate", EventKind::Rating),
    ("wishlist", EventKind::Like),
    ("favourite", EventKind::Like),
    ("favorite", EventKind::Like),
    ("shown", EventKind::Impression),
];

impl EventKind {
    /// How many codes there are, custom kinds included.
    pub(crate) const CODES: usize = NAMED.len() + CustomKind::MAX as usize + 1;

    /// All kinds that have a name of their own.
    pub fn named() -> impl Iterator<Item = Self> {
        NAMED.into_iter().map(|(kind, _)| kind)
    }

    /// The name of a kind that has one of its own.
    #[cfg(feature = "sqlite")]
    pub(crate) fn name(self) -> Option<&'static str> {
        NAMED.get(self.code() as usize).map(|(_, name)| *name)
    }

    /// A dense code: the place in the declaration, custom kinds after the named ones.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::View => 0,
            Self::Click => 1,
            Self::Impression => 2,
            Self::Search => 3,
            Self::AddToCart => 4,
            Self::RemoveFromCart => 5,
            Self::Purchase => 6,
            Self::Return => 7,
            Self::Rating => 8,
            Self::Like => 9,
            Self::Dislike => 10,
            Self::Custom(CustomKind(n)) => NAMED.len() as u8 + n,
        }
    }

    /// The kind of a code from [`EventKind::code`].
    pub(crate) const fn from_code(code: u8) -> Self {
        if (code as usize) < NAMED.len() {
            NAMED[code as usize].0
        } else {
            Self::Custom(CustomKind(code - NAMED.len() as u8))
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custom(kind) => write!(f, "custom:{}", kind.0),
            named => f.write_str(NAMED[named.code() as usize].1),
        }
    }
}

/// A text that names no event kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown event kind {got:?}; expected view, click, impression, search, add_to_cart, remove_from_cart, purchase, return, rating, like, dislike or custom:0 to custom:31"
)]
pub struct UnknownKind {
    /// What was read.
    pub got: String,
}

impl FromStr for EventKind {
    type Err = UnknownKind;

    /// Reads a kind by its name or a common synonym (`cart`, `buy`, `transaction`, ...), whatever the case, with `-`,
    /// `_` and blanks alike.
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        // The exact spelling first: it is what almost every line holds, and it needs no copy.
        if let Some((kind, _)) = NAMED.iter().find(|(_, name)| *name == text) {
            return Ok(*kind);
        }
        let name: String =
            text.trim().chars().map(|c| if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() }).collect();
        if let Some((kind, _)) = NAMED.iter().find(|(_, n)| *n == name) {
            return Ok(*kind);
        }
        if let Some((_, kind)) = SYNONYMS.iter().find(|(n, _)| *n == name) {
            return Ok(*kind);
        }
        name.strip_prefix("custom:")
            .and_then(|n| n.parse().ok())
            .and_then(CustomKind::new)
            .map(Self::Custom)
            .ok_or_else(|| UnknownKind { got: text.chars().take(64).collect() })
    }
}

impl TryFrom<String> for EventKind {
    type Error = UnknownKind;
    fn try_from(text: String) -> Result<Self, UnknownKind> {
        text.parse()
    }
}

impl From<EventKind> for String {
    fn from(kind: EventKind) -> Self {
        kind.to_string()
    }
}

/// A set of event kinds.
///
/// # Example
/// ```
/// use likewise::{EventKind, KindSet};
/// let bought = KindSet::of(&[EventKind::Purchase]);
/// assert!(bought.contains(EventKind::Purchase));
/// assert!(!bought.contains(EventKind::View));
/// assert!(KindSet::INTEREST.contains(EventKind::View) && !KindSet::INTEREST.contains(EventKind::Impression));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<EventKind>", into = "Vec<EventKind>")]
pub struct KindSet(u64);

impl KindSet {
    /// No kind.
    pub const EMPTY: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self((1 << EventKind::CODES) - 1);
    /// Every named kind that speaks for an item: view, click, search, add-to-cart, purchase, rating, like.
    pub const INTEREST: Self = Self::of(&[
        EventKind::View,
        EventKind::Click,
        EventKind::Search,
        EventKind::AddToCart,
        EventKind::Purchase,
        EventKind::Rating,
        EventKind::Like,
    ]);

    /// The set of these kinds.
    #[must_use]
    pub const fn of(kinds: &[EventKind]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < kinds.len() {
            bits |= 1 << kinds[i].code();
            i += 1;
        }
        Self(bits)
    }

    /// Whether `kind` is in it.
    #[must_use]
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 >> kind.code() & 1 == 1
    }

    pub(crate) const fn contains_code(self, code: u8) -> bool {
        self.0 >> code & 1 == 1
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in it.
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        (0..EventKind::CODES as u8).filter(move |&c| self.contains_code(c)).map(EventKind::from_code)
    }
}

impl From<Vec<EventKind>> for KindSet {
    fn from(kinds: Vec<EventKind>) -> Self {
        Self::of(&kinds)
    }
}

impl From<KindSet> for Vec<EventKind> {
    fn from(set: KindSet) -> Self {
        set.iter().collect()
    }
}

impl FromIterator<EventKind> for KindSet {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind.code()))
    }
}

impl fmt::Debug for KindSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Where an event happened, or where a list will be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[non_exhaustive]
pub enum Channel {
    /// Not said.
    #[default]
    Unknown,
    /// The web shop.
    Web,
    /// The mobile application.
    App,
    /// E-mail.
    Email,
    /// Push message.
    Push,
    /// Text message.
    Sms,
    /// A physical shop.
    Store,
    /// Telephone or chat with a person.
    Service,
    /// Advertising elsewhere.
    Ads,
    /// Anything else.
    Other,
}

impl Channel {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Unknown, "unknown"),
        (Self::Web, "web"),
        (Self::App, "app"),
        (Self::Email, "email"),
        (Self::Push, "push"),
        (Self::Sms, "sms"),
        (Self::Store, "store"),
        (Self::Service, "service"),
        (Self::Ads, "ads"),
        (Self::Other, "other"),
    ];

    /// Reads a channel by name: unknown text is [`Channel::Other`], empty text [`Channel::Unknown`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Unknown;
        }
        let found = Self::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        match found {
            Some((channel, _)) => channel,
            None if text.eq_ignore_ascii_case("mobile") => Self::App,
            None => Self::Other,
        }
    }

    /// As it is spelled in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Self {
        Self::ALL.get(code as usize).map_or(Self::Other, |(channel, _)| *channel)
    }
}

/// One event. All text is borrowed: a source hands over millions of these without allocating.
///
/// # Example
/// ```
/// use likewise::{Consented, Event, EventKind, LawfulBasis, Shopper, Timestamp};
/// let who = Shopper::Profiled(Consented::new("ann", LawfulBasis::Consent));
/// let event = Event::new(who, "mug", EventKind::Purchase, Timestamp::from_secs(1_291_192_000))
///     .quantity(6.0)
///     .value(2.55)
///     .session("536365");
/// assert_eq!(event.quantity, 6.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// Who did it; a user id only with a lawful basis.
    pub shopper: Shopper<'a>,
    /// The item; empty only for a [`EventKind::Search`] that led nowhere.
    pub item: &'a str,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// How many units; finite and above 0. 1 unless said.
    pub quantity: f32,
    /// Price of one unit in the shop's currency, or the rating for [`EventKind::Rating`]; finite if present.
    pub value: Option<f32>,
    /// The session, visit, invoice or basket it belongs to.
    pub session: Option<&'a str>,
    /// Where it happened.
    pub channel: Channel,
    /// An id that makes a second delivery of the same event recognisable.
    pub id: Option<&'a str>,
    /// The text of a search.
    pub query: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// An event of one unit with nothing else known.
    #[must_use]
    pub const fn new(shopper: Shopper<'a>, item: &'a str, kind: EventKind, at: Timestamp) -> Self {
        Self {
            shopper,
            item,
            kind,
            at,
            quantity: 1.0,
            value: None,
            session: match shopper {
                Shopper::Anonymous { session } => Some(session),
                Shopper::Profiled(_) => None,
            },
            channel: Channel::Unknown,
            id: None,
            query: None,
        }
    }

    /// With this many units.
    #[must_use]
    pub const fn quantity(mut self, units: f32) -> Self {
        self.quantity = units;
        self
    }

    /// With this price a unit, or this rating.
    #[must_use]
    pub const fn value(mut self, value: f32) -> Self {
        self.value = Some(value);
        self
    }

    /// In this session, visit, invoice or basket.
    #[must_use]
    pub const fn session(mut self, session: &'a str) -> Self {
        self.session = Some(session);
        self
    }

    /// On this channel.
    #[must_use]
    pub const fn channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// With an id for recognising a second delivery.
    #[must_use]
    pub const fn id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// With the text that was searched for.
    #[must_use]
    pub const fn query(mut self, text: &'a str) -> Self {
        self.query = Some(text);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_round_trip() {
        for code in 0..EventKind::CODES as u8 {
            let kind = EventKind::from_code(code);
            assert_eq!(kind.code(), code);
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!(KindSet::ALL.iter().count(), EventKind::CODES);
        for (channel, name) in Channel::ALL {
            assert_eq!(Channel::parse(name), channel);
            assert_eq!(Channel::from_code(channel.code()), channel);
        }
    }

    #[test]
    fn synonyms_and_strangers() {
        assert_eq!("Add-To-Cart".parse(), Ok(EventKind::AddToCart));
        assert_eq!("transaction".parse(), Ok(EventKind::Purchase));
        assert!("custom:32".parse::<EventKind>().is_err());
        let error = "teleport".parse::<EventKind>().unwrap_err();
        assert!(error.to_string().contains("teleport") && error.to_string().contains("add_to_cart"));
    }
}
