//! Rates within attribute values, for [`PopularIn`](super::PopularIn): what an item is wanted a day on sale.

use super::Scored;
use super::bucket::Buckets;
use super::popular_in::PopularInParams;
use crate::catalog::{AttributeId, Shelf};
use crate::dataset::Dataset;
use crate::ids::{IdMap, ItemIdx};
use crate::kernel::top_k::top_k;
use crate::params::Checked;
use crate::time::Span;

/// Counts and days on sale by item, and what is typical in each value.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    /// Days of typical demand every item starts with.
    prior: f64,
    /// Faded count and faded days on sale; items beyond have zeros.
    items: Vec<(f64, f64)>,
    /// Names of the values; a catalogue made later may have other codes for them.
    names: IdMap,
    values: Vec<Value>,
}

#[derive(Clone, Debug, Default)]
struct Value {
    count: f64,
    days: f64,
    /// Largest rate of an item in it.
    most: f64,
    best: Vec<ItemIdx>,
}

impl Value {
    fn mean(&self) -> f64 {
        if self.days > 0.0 { self.count / self.days } else { 0.0 }
    }
}

impl Rates {
    /// Whether every item is one of `n_items`; asked of what came from a file.
    pub(super) fn is_within(&self, n_items: usize) -> bool {
        self.items.len() <= n_items
            && self.values.iter().all(|value| value.best.iter().all(|item| item.as_usize() < n_items))
    }

    pub(super) fn new(
        params: &Checked<PopularInParams>,
        attribute: AttributeId,
        data: &Dataset,
        shelf: &Shelf,
        buckets: &Buckets,
    ) -> Self {
        let n_codes = shelf.n_codes(attribute);
        let mut names = IdMap::default();
        for code in 0..n_codes as u32 {
            // A dictionary holds distinct values, so the numbers are the codes of this shelf.
            let _ = names.intern(shelf.value(attribute, code).unwrap_or_default());
        }
        let counting = params.counting();
        let now = counting.bucket_of(data.as_of());
        let since = counting.since(data.as_of(), params.window);
        let on_sale = OnSale::new(params);
        let figures = |item: usize| {
            let faded = |(bucket, n)| counting.real(n) * counting.decay(now - bucket, params.half_life);
            let index = ItemIdx::new(item as u32);
            let first = data.events_on(index).map(|e| e.at).chain(shelf.released(index)).min();
            let first = first.map(|at| counting.bucket_of(at).max(since));
            let days = first.map_or(0.0, |first| on_sale.days(now.saturating_sub(first).saturating_add(1)));
            (buckets.item(item).map(faded).sum(), days)
        };
        let items: Vec<(f64, f64)> = (0..data.n_items()).map(figures).collect();
        let mut rates = Self { prior: params.prior.into(), items, names, values: Vec::new() };
        rates.values.resize_with(n_codes, Value::default);
        let codes = |item: usize| shelf.codes(ItemIdx::new(item as u32), attribute);
        for (item, &(count, days)) in rates.items.iter().enumerate() {
            for &code in codes(item) {
                let value = &mut rates.values[code as usize];
                value.count += count;
                value.days += days;
            }
        }
        let mut members: Vec<Vec<Scored>> = vec![Vec::new(); n_codes];
        for item in 0..rates.items.len() {
            for &code in codes(item) {
                let rate = rates.rate(item, &rates.values[code as usize]);
                if rate > 0.0 {
                    let value = &mut rates.values[code as usize];
                    value.most = value.most.max(rate);
                    members[code as usize].push(Scored { item: ItemIdx::new(item as u32), score: rate as f32 });
                }
            }
        }
        for (value, mut members) in rates.values.iter_mut().zip(members) {
            top_k(&mut members, params.pool as usize, Scored::order);
            value.best = members.into_iter().map(|s| s.item).collect();
        }
        rates
    }

    /// The number of a value, by name.
    pub(super) fn value(&self, name: &str) -> Option<u32> {
        self.names.get(name)
    }

    /// An item's rate in a value relative to the best there, 0 to 1; `None` where nothing ever happened.
    pub(super) fn relative(&self, item: ItemIdx, value: u32) -> Option<f32> {
        let value = self.values.get(value as usize).filter(|value| value.most > 0.0)?;
        Some((self.rate(item.as_usize(), value) / value.most).min(1.0) as f32)
    }

    /// The most wanted items of a value, best first.
    pub(super) fn best(&self, value: u32) -> &[ItemIdx] {
        self.values.get(value as usize).map_or(&[], |value| &value.best)
    }

    fn rate(&self, item: usize, value: &Value) -> f64 {
        let (count, days) = self.items.get(item).copied().unwrap_or_default();
        (count + self.prior * value.mean()) / (days + self.prior)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let best: usize = self.values.iter().map(|v| v.best.capacity() * 4).sum();
        self.items.capacity() * 16 + self.values.capacity() * size_of::<Value>() + best + self.names.heap_bytes()
    }
}

/// Days on sale, faded as the counts are: `Σ_{age < n} 2^(-age bucket / half_life)` buckets, in days.
struct OnSale {
    bucket_days: f64,
    /// `1 - 2^(-bucket / half_life)`, if anything fades.
    loss: Option<f64>,
    bucket: Span,
    half_life: Option<Span>,
}

impl OnSale {
    fn new(params: &PopularInParams) -> Self {
        let loss = params.half_life.map(|half_life| 1.0 - params.bucket.decay(half_life)).filter(|&loss| loss > 0.0);
        Self { bucket_days: params.bucket.as_days(), loss, bucket: params.bucket, half_life: params.half_life }
    }

    fn days(&self, buckets: i64) -> f64 {
        let buckets = buckets.max(0);
        let faded = match (self.loss, self.half_life) {
            (Some(loss), Some(half_life)) => {
                let all = Span::millis(buckets.saturating_mul(self.bucket.as_millis()));
                (1.0 - all.decay(half_life)) / loss
            }
            _ => buckets as f64,
        };
        faded * self.bucket_days
    }
}

crate::persist::portable!(Value { count, days, most, best });

impl crate::persist::Portable for Rates {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        out.part("prior", &self.prior)?;
        out.part("items", &self.items)?;
        out.part("names", &self.names)?;
        crate::persist::list::save(&mut out.at("values"), &self.values)
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        Ok(Self {
            prior: from.part("prior")?,
            items: from.part("items")?,
            names: from.part("names")?,
            values: crate::persist::list::load(&from.at("values"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_on_sale_fade_as_the_counts_do() {
        let params = PopularInParams { half_life: Some(Span::days(3)), ..PopularInParams::default() };
        let slow = |n: i64| (0..n).map(|age| Span::days(age as u32).decay(Span::days(3))).sum::<f64>();
        for n in [0, 1, 2, 10, 500] {
            assert!((OnSale::new(&params).days(n) - slow(n)).abs() < 1e-9);
        }
        let steady = PopularInParams { half_life: None, ..params };
        assert_eq!(OnSale::new(&steady).days(9), 9.0);
        assert_eq!(OnSale::new(&steady).days(-4), 0.0);
    }
}
