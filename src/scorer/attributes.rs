//! Attribute values as numbered features: what content models see of an item.

use serde::{Deserialize, Serialize};

use super::FitError;
use crate::catalog::{AttributeId, AttributeKind, Shelf};
use crate::ids::{IdMap, ItemIdx};
use crate::params::ParamError;

/// An attribute of the catalogue, and how much it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeWeight {
    /// Its name.
    pub attribute: String,
    /// How much it counts beside the others: above 0, at most a million.
    #[serde(default = "one")]
    pub weight: f32,
}

const fn one() -> f32 {
    1.0
}

impl AttributeWeight {
    /// An attribute with a weight.
    #[must_use]
    pub fn new(attribute: impl Into<String>, weight: f32) -> Self {
        Self { attribute: attribute.into(), weight }
    }
}

/// Checks a list of attributes: named, none twice, weights in range.
pub(in crate::scorer) fn check_attributes(all: &[AttributeWeight]) -> Result<(), ParamError> {
    for (n, AttributeWeight { attribute, weight }) in all.iter().enumerate() {
        if attribute.is_empty() {
            return Err(ParamError::new(format!("attributes.{n}.attribute"), "\"\"", "not empty"));
        }
        if all[..n].iter().any(|before| before.attribute == *attribute) {
            return Err(ParamError::new(format!("attributes.{n}.attribute"), attribute, "each attribute once"));
        }
        if !(f32::MIN_POSITIVE..=1e6).contains(weight) {
            return Err(ParamError::new(format!("attributes.{n}.weight"), weight, "a number above 0, at most 1000000"));
        }
    }
    Ok(())
}

/// Which attributes a model reads when none are named.
pub(in crate::scorer) const CODED: &[AttributeKind] = &[AttributeKind::Category, AttributeKind::Tags];
pub(in crate::scorer) const ALL_KINDS: &[AttributeKind] =
    &[AttributeKind::Category, AttributeKind::Tags, AttributeKind::Text, AttributeKind::Number];

/// The features of a fit. Their numbers mean the same for every later catalogue: values are kept by name.
#[derive(Clone, Debug, Default)]
pub(in crate::scorer) struct Features {
    fields: Vec<Field>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Field {
    attribute: String,
    weight: f32,
    /// The number of its first feature.
    base: u32,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// Numbered as the dictionary of the fit's catalogue.
    Coded(IdMap),
    Words(IdMap),
    /// Inner bounds of the spans, ascending: `n` of them make `n + 1` spans.
    Spans(Vec<f64>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Coded(names) | Self::Words(names) => names.len(),
            Self::Spans(bounds) => bounds.len() + 1,
        }
    }
}

impl Features {
    /// The values of the attributes of `shelf`: of those named, or of all of `kinds`. Numbers are cut into `spans` spans of
    /// equally many items. Words that only one item has say nothing and are left out.
    ///
    /// `O(items x values)`.
    pub(in crate::scorer) fn learn(
        named: &[AttributeWeight],
        kinds: &[AttributeKind],
        spans: u32,
        shelf: Option<&Shelf>,
    ) -> Result<Self, FitError> {
        let Some(shelf) = shelf else {
            return named
                .first()
                .map_or(Ok(Self::default()), |first| Err(FitError::NoAttribute { name: first.attribute.clone() }));
        };
        let all = shelf.catalog().attributes().filter(|(_, kind)| kinds.contains(kind));
        let wanted: Vec<AttributeWeight> = match named {
            [] => all.map(|(name, _)| AttributeWeight::new(name, 1.0)).collect(),
            _ => named.to_vec(),
        };
        let mut features = Self::default();
        for AttributeWeight { attribute, weight } in wanted {
            let id = shelf.attribute(&attribute);
            let id = id.ok_or_else(|| FitError::NoAttribute { name: attribute.clone() })?;
            let Some(values) = values(shelf, id, spans) else { continue };
            let base = features.len as u32;
            features.len += values.len();
            features.fields.push(Field { attribute, weight, base, values });
        }
        Ok(features)
    }

    pub(in crate::scorer) fn len(&self) -> usize {
        self.len
    }

    /// Puts the features of an item into `out`, ascending, each with how often it occurs, and calls `end` after each
    /// attribute with its weight and its part of `out`.
    pub(in crate::scorer) fn read(
        &self,
        shelf: &Shelf,
        item: ItemIdx,
        word: &mut String,
        out: &mut Vec<(u32, f32)>,
        mut end: impl FnMut(f32, &mut [(u32, f32)]),
    ) {
        out.clear();
        for field in &self.fields {
            let from = out.len();
            if let Some(id) = shelf.attribute(&field.attribute) {
                field.read(shelf, id, item, word, out);
            }
            out[from..].sort_unstable_by_key(|&(feature, _)| feature);
            let mut kept = from;
            for at in from..out.len() {
                if kept > from && out[kept - 1].0 == out[at].0 {
                    out[kept - 1].1 += 1.0;
                } else {
                    out[kept] = out[at];
                    kept += 1;
                }
            }
            out.truncate(kept);
            end(field.weight, &mut out[from..]);
        }
    }

    /// The attribute and value a feature stands for.
    pub(in crate::scorer) fn label(&self, feature: u32) -> (String, String) {
        let at = self.fields.partition_point(|field| field.base <= feature);
        let Some(field) = self.fields[..at].last() else { return Default::default() };
        let value = feature - field.base;
        let text = match &field.values {
            Values::Coded(names) | Values::Words(names) => names.key(value).unwrap_or_default().to_owned(),
            Values::Spans(bounds) => {
                let bound = |n: Option<usize>| n.and_then(|n| bounds.get(n));
                let end = |bound: Option<&f64>| bound.map_or_else(String::new, f64::to_string);
                format!("{}..{}", end(bound((value as usize).checked_sub(1))), end(bound(Some(value as usize))))
            }
        };
        (field.attribute.clone(), text)
    }

    pub(in crate::scorer) fn heap_bytes(&self) -> usize {
        let field = |field: &Field| match &field.values {
            Values::Coded(names) | Values::Words(names) => names.heap_bytes(),
            Values::Spans(bounds) => bounds.capacity() * size_of::<f64>(),
        };
        self.fields.capacity() * size_of::<Field>() + self.fields.iter().map(field).sum::<usize>()
    }
}

impl Field {
    fn read(&self, shelf: &Shelf, id: AttributeId, item: ItemIdx, word: &mut String, out: &mut Vec<(u32, f32)>) {
        match &self.values {
            Values::Coded(names) => {
                for &code in shelf.codes(item, id) {
                    let Some(value) = shelf.value(id, code) else { continue };
                    // A catalogue that descends from the fit's has the fit's codes.
                    let same = names.key(code) == Some(value);
                    let number = if same { Some(code) } else { names.get(value) };
                    out.extend(number.map(|n| (self.base + n, 1.0)));
                }
            }
            Values::Words(names) => {
                let text = shelf.text(item, id).unwrap_or_default();
                words(text, word, |word| out.extend(names.get(word).map(|n| (self.base + n, 1.0))));
            }
            Values::Spans(bounds) => {
                if let Some(number) = shelf.number(item, id) {
                    let span = bounds.partition_point(|&bound| bound <= number);
                    out.push((self.base + span as u32, 1.0));
                }
            }
        }
    }
}

fn values(shelf: &Shelf, id: AttributeId, spans: u32) -> Option<Values> {
    let items = || (0..shelf.n_items() as u32).map(ItemIdx::new);
    match shelf.kind(id)? {
        AttributeKind::Category | AttributeKind::Tags => {
            let mut names = IdMap::default();
            for code in 0..shelf.n_codes(id) as u32 {
                names.intern(shelf.value(id, code)?).ok()?;
            }
            Some(Values::Coded(names))
        }
        AttributeKind::Text => {
            // Of each word, the last item that has it, and whether another had it before.
            let (mut all, mut last) = (IdMap::default(), Vec::<(ItemIdx, bool)>::new());
            let mut buffer = String::new();
            for item in items() {
                words(shelf.text(item, id).unwrap_or_default(), &mut buffer, |word| {
                    let Ok(n) = all.intern(word) else { return };
                    match last.get_mut(n as usize) {
                        Some((before, shared)) => {
                            *shared |= *before != item;
                            *before = item;
                        }
                        None => last.push((item, false)),
                    }
                });
            }
            let mut names = IdMap::default();
            let shared = all.iter().zip(&last).filter(|(_, (_, shared))| *shared);
            for (word, _) in shared {
                names.intern(word).ok()?;
            }
            Some(Values::Words(names))
        }
        AttributeKind::Number => {
            let mut numbers: Vec<f64> = items().filter_map(|item| shelf.number(item, id)).collect();
            numbers.sort_unstable_by(f64::total_cmp);
            let quantile = |n: u32| numbers[(numbers.len() * n as usize / spans as usize).min(numbers.len() - 1)];
            if spans == 0 || numbers.is_empty() {
                return None;
            }
            let mut bounds: Vec<f64> = (1..spans).map(quantile).collect();
            bounds.dedup();
            Some(Values::Spans(bounds))
        }
    }
}

/// Calls `f` for each word of a text: runs of letters and digits, at least two bytes long, in lower case.
fn words(text: &str, buffer: &mut String, mut f: impl FnMut(&str)) {
    for raw in text.split(|c: char| !c.is_alphanumeric()).filter(|raw| raw.len() > 1) {
        buffer.clear();
        buffer.extend(raw.chars().flat_map(char::to_lowercase));
        f(buffer);
    }
}

impl crate::persist::Portable for Values {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        match self {
            Self::Coded(names) => out.value("kind", "coded").and_then(|()| out.part("names", names)),
            Self::Words(names) => out.value("kind", "words").and_then(|()| out.part("names", names)),
            Self::Spans(bounds) => out.value("kind", "spans").and_then(|()| out.part("bounds", bounds)),
        }
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        Ok(match from.value::<String>("kind")?.as_str() {
            "coded" => Self::Coded(from.part("names")?),
            "words" => Self::Words(from.part("names")?),
            "spans" => Self::Spans(from.part("bounds")?),
            other => return Err(from.unsound(format!("has values of an unknown kind {other:?}"))),
        })
    }
}

crate::persist::portable!(Field { attribute, weight, base, values });

impl crate::persist::Portable for Features {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        crate::persist::list::save(&mut out.at("fields"), &self.fields)?;
        out.part("len", &self.len)
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        let loaded = Self { fields: crate::persist::list::load(&from.at("fields"))?, len: from.part("len")? };
        let ends = loaded.fields.iter().map(|field: &Field| (field.base as usize).checked_add(field.values.len()));
        let within = ends.into_iter().all(|end| end.is_some_and(|end| end <= loaded.len));
        if within { Ok(loaded) } else { Err(from.unsound("numbers features beyond its last")) }
    }
}

impl Features {
    /// How many features.
    pub(in crate::scorer) const fn count(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CatalogBuilder, ItemRecord};
    use crate::dataset::DatasetBuilder;
    use std::sync::Arc;

    fn shelf(items: &[ItemRecord<'_>]) -> Shelf {
        let kinds = [AttributeKind::Category, AttributeKind::Tags, AttributeKind::Text, AttributeKind::Number];
        let builder = ["category", "brand", "title", "weight"].into_iter().zip(kinds);
        let mut builder =
            builder.fold(CatalogBuilder::default(), |builder, (name, kind)| builder.attribute(name, kind).unwrap());
        items.iter().for_each(|item| builder.add(item).unwrap());
        Shelf::new(&DatasetBuilder::default().finish().unwrap(), Arc::new(builder.build()))
    }

    fn labels(features: &Features, shelf: &Shelf, item: u32) -> Vec<(String, f32)> {
        let mut out = Vec::new();
        features.read(shelf, ItemIdx::new(item), &mut String::new(), &mut out, |_, _| ());
        assert!(out.is_sorted_by_key(|&(feature, _)| feature));
        out.iter().map(|&(feature, n)| (features.label(feature).1, n)).collect()
    }

    fn mug() -> ItemRecord<'static> {
        ItemRecord::new("mug")
            .category("category", "Home > Kitchen")
            .tag("brand", "Acme")
            .text("title", "Blue mug, BLUE as blue")
            .number("weight", 300.0)
    }

    fn pot() -> ItemRecord<'static> {
        ItemRecord::new("pot")
            .category("category", "Home")
            .text("title", "Élan: a blue mug's pot")
            .number("weight", 900.0)
    }

    #[test]
    fn values_words_and_spans_are_features() {
        let shelf = shelf(&[mug(), pot()]);
        let features = Features::learn(&[], ALL_KINDS, 2, Some(&shelf)).unwrap();
        let of =
            |item| labels(&features, &shelf, item).into_iter().map(|(v, n)| format!("{v} {n}")).collect::<Vec<_>>();
        assert_eq!(of(0), ["Home 1", "Home > Kitchen 1", "Acme 1", "blue 3", "mug 1", "..900 1"]);
        assert_eq!(of(1), ["Home 1", "blue 1", "mug 1", "900.. 1"]);
        assert!(of(9).is_empty());
        assert_eq!(features.label(0).0, "category");
    }

    #[test]
    fn a_catalogue_built_anew_keeps_the_numbers() {
        let first = shelf(&[mug(), pot()]);
        let features = Features::learn(&[], ALL_KINDS, 2, Some(&first)).unwrap();
        let again = shelf(&[ItemRecord::new("x").category("category", "Garden").tag("brand", "Zed"), pot(), mug()]);
        assert_eq!(labels(&features, &again, 2), labels(&features, &first, 0));
        assert_eq!(labels(&features, &again, 1), labels(&features, &first, 1));
        assert!(labels(&features, &again, 0).is_empty(), "values of after the fit say nothing");
    }

    #[test]
    fn named_attributes_must_be_there() {
        let shelf = shelf(&[mug()]);
        let named = [AttributeWeight::new("brand", 2.0), AttributeWeight::new("colour", 1.0)];
        let missing = Err(FitError::NoAttribute { name: "colour".to_owned() });
        assert_eq!(Features::learn(&named, CODED, 2, Some(&shelf)).map(|f| f.len()), missing);
        assert!(Features::learn(&named, CODED, 2, None).is_err());
        assert_eq!(Features::learn(&named[..1], CODED, 2, Some(&shelf)).unwrap().len(), 1);
        assert_eq!(Features::learn(&[], CODED, 2, None).unwrap().len(), 0);
        assert!(check_attributes(&named).is_ok());
        let bad =
            [AttributeWeight::new("", 1.0), AttributeWeight::new("brand", 1.0), AttributeWeight::new("x", f32::NAN)];
        for bad in bad {
            assert!(check_attributes(&[named[0].clone(), bad]).is_err());
        }
    }
}
