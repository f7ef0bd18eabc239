//! The events of a synthetic shop, one session after the other.

use super::rng::SplitMix;
use super::shop::SyntheticShop;
use crate::consent::{Consented, LawfulBasis, Shopper};
use crate::event::{Channel, Event, EventKind};
use crate::source::{Flow, Offered};
use crate::time::{Span, Timestamp};

/// How busy each hour of the day is.
const HOURS: [u32; 24] = [2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 11, 10, 9, 9, 10, 11, 13, 15, 16, 14, 9, 4];
/// How busy each day of the week is, from Thursday (1970-01-01) on.
const WEEKDAYS: [u32; 7] = [10, 9, 11, 13, 10, 10, 10];
const HOUR: i64 = 3_600_000;
/// The most views a session has.
const MOST_VIEWS: u32 = 64;

/// A letter and a number, as text, without allocation.
struct Key {
    text: [u8; 21],
    from: usize,
}

impl Key {
    #[inline]
    fn new(letter: u8, mut number: u64) -> Self {
        let mut key = Self { text: [letter; 21], from: 21 };
        loop {
            key.from -= 1;
            key.text[key.from] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        key.from -= 1;
        key.text[key.from] = letter;
        key
    }

    #[inline]
    fn as_str(&self) -> &str {
        str::from_utf8(&self.text[self.from..]).unwrap_or_default()
    }
}

/// The clock: how far the events have come, as a time of busy and quiet hours.
struct Rhythm {
    start: i64,
    hour: i64,
    /// Business before this hour, and after all.
    before: f64,
    total: f64,
}

impl Rhythm {
    fn new(start: Timestamp, days: u32) -> Self {
        let start = start.millis();
        let total = (0..i64::from(days) * 24).map(|hour| Self::busy(start, hour)).sum();
        Self { start, hour: 0, before: 0.0, total }
    }

    fn busy(start: i64, hour: i64) -> f64 {
        let hour = start.div_euclid(HOUR) + hour;
        let (day, hour) = (hour.div_euclid(24).rem_euclid(7), hour.rem_euclid(24));
        f64::from(HOURS[hour as usize] * WEEKDAYS[day as usize])
    }

    /// The time at which `done` (0 to 1, never falling) of the business is done.
    fn at(&mut self, done: f64) -> Timestamp {
        let business = done * self.total;
        let mut busy = Self::busy(self.start, self.hour);
        while self.before + busy <= business {
            self.before += busy;
            self.hour += 1;
            busy = Self::busy(self.start, self.hour);
        }
        let within = ((business - self.before) / busy * HOUR as f64) as i64;
        Timestamp::from_millis(self.start.saturating_add(self.hour * HOUR + within))
    }
}

/// Where one session goes.
struct Session<'k> {
    shopper: Shopper<'k>,
    key: &'k str,
    channel: Channel,
    at: Timestamp,
}

pub(super) struct Stream<'s> {
    shop: &'s SyntheticShop,
    rng: SplitMix,
    rhythm: Rhythm,
    end: Timestamp,
    /// Views go on with this chance.
    another: f64,
    told: u64,
    sessions: u64,
}

impl<'s> Stream<'s> {
    pub(super) fn new(shop: &'s SyntheticShop) -> Self {
        let p = &shop.params;
        let end = p.start.plus(Span::millis(shop.length() - 1));
        let rhythm = Rhythm::new(p.start, p.days);
        let another = 1.0 - 1.0 / p.views;
        Self { shop, rng: SplitMix::new(p.seed), rhythm, end, another, told: 0, sessions: 0 }
    }

    pub(super) fn run(mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) {
        while self.told < self.shop.params.events && self.session(sink) == Flow::Continue {
            self.sessions += 1;
        }
    }

    fn session(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Flow {
        let p = &*self.shop.params;
        let key = Key::new(b's', self.sessions);
        let anonymous = self.rng.chance(p.anonymous_share);
        // Squared, so that some shoppers come often and many seldom.
        let unit = self.rng.unit();
        let user = ((unit * unit * f64::from(p.users)) as u32).min(p.users - 1);
        let user_key = Key::new(b'u', user.into());
        let (who, shopper) = match anonymous {
            true => (u64::from(u32::MAX) + 1 + self.sessions, Shopper::Anonymous { session: key.as_str() }),
            false => (u64::from(user), Shopper::Profiled(Consented::new(user_key.as_str(), LawfulBasis::Consent))),
        };
        let at = self.rhythm.at(self.told as f64 / p.events as f64);
        let channel = if self.sessions.is_multiple_of(3) { Channel::App } else { Channel::Web };
        let mut session = Session { shopper, key: key.as_str(), channel, at };
        // The first taste more often than the last.
        let liked = self.rng.below(p.tastes).min(self.rng.below(p.tastes));
        let (category, brand) = (self.shop.liked(who, liked), self.shop.loved_brand(who));
        let mut last = None;
        for _ in 0..MOST_VIEWS {
            let item = self.next_item(last, category, brand, session.at);
            if self.tell(&mut session, item, EventKind::View, sink) == Flow::Stop {
                return Flow::Stop;
            }
            last = Some(item);
            if !self.rng.chance(self.another) {
                break;
            }
        }
        match last {
            Some(item) if self.rng.chance(p.cart_share) => self.check_out(&mut session, item, sink),
            _ => Flow::Continue,
        }
    }

    /// Puts `item`, and now and then its partner, into the cart, and perhaps buys them.
    fn check_out(&mut self, session: &mut Session<'_>, item: u32, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Flow {
        let p = &*self.shop.params;
        let with = self.rng.chance(p.partner_share);
        let partner = self.shop.partner(item).filter(|&i| with && self.is_out(i, session.at));
        let basket = [Some(item), partner];
        let bought = self.rng.chance(p.purchase_share);
        for kind in [EventKind::AddToCart, EventKind::Purchase] {
            if kind == EventKind::Purchase && !bought {
                break;
            }
            for item in basket.into_iter().flatten() {
                if self.tell(session, item, kind, sink) == Flow::Stop {
                    return Flow::Stop;
                }
            }
        }
        Flow::Continue
    }

    fn is_out(&self, item: u32, at: Timestamp) -> bool {
        self.shop.released(item).is_none_or(|released| released <= at)
    }

    fn next_item(&mut self, last: Option<u32>, category: u32, brand: u32, at: Timestamp) -> u32 {
        let p = &*self.shop.params;
        if let Some(last) = last
            && self.rng.chance(p.partner_share)
            && let Some(partner) = self.shop.partner(last)
            && self.is_out(partner, at)
        {
            return partner;
        }
        let mut item = if self.rng.chance(p.taste_share) {
            let (one, other) = (self.of_category(category), self.of_category(category));
            let loved = |item| self.shop.brand(item) == brand;
            if loved(other) && !loved(one) { other } else { one }
        } else {
            self.shop.crowd.draw(&mut self.rng)
        };
        // What is not out yet makes room for what is: the next better of its category.
        while !self.is_out(item, at) {
            item -= p.categories;
        }
        item
    }

    fn of_category(&mut self, category: u32) -> u32 {
        let p = &*self.shop.params;
        let item = category + self.shop.shelf.draw(&mut self.rng) * p.categories;
        if item < p.items { item } else { category }
    }

    fn tell(
        &mut self,
        session: &mut Session<'_>,
        item: u32,
        kind: EventKind,
        sink: &mut dyn FnMut(Offered<'_>) -> Flow,
    ) -> Flow {
        if self.told == self.shop.params.events {
            return Flow::Stop;
        }
        self.told += 1;
        let key = Key::new(b'i', item.into());
        let mut event = Event::new(session.shopper, key.as_str(), kind, session.at.min(self.end))
            .session(session.key)
            .channel(session.channel);
        if kind == EventKind::Purchase {
            event = event.value(self.shop.price(item)).quantity(1.0 + self.rng.below(2) as f32);
        }
        session.at = session.at.plus(Span::millis(1_000 + i64::from(self.rng.below(90_000))));
        sink(event.into())
    }
}
