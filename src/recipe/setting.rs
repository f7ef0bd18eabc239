//! `KEY=VALUE` into parameters as serde writes them.

use serde_json::{Map, Value, json};

use super::error::RecipeError;
use super::kind::ModelKind;
use super::nearest;
use crate::tune::Over;

/// See [`ModelKind::set`].
pub(super) fn set(
    kind: &ModelKind,
    params: &mut Map<String, Value>,
    path: &str,
    text: &str,
) -> Result<(), RecipeError> {
    if !kind.has(path) {
        return Err(unknown(kind, path));
    }
    let mut complaint = None;
    for value in meanings(kind, path, text) {
        let mut tried = params.clone();
        put(kind, &mut tried, path, value);
        match (kind.reads)(Value::Object(tried.clone())) {
            Ok(()) => {
                *params = tried;
                return Ok(());
            }
            Err(error) => complaint = complaint.or(Some((error, tried))),
        }
    }
    let Some((complaint, tried)) = complaint else { return Ok(()) };
    if complaint.starts_with("missing field") {
        *params = tried; // the other fields of a nested choice may follow
        return Ok(());
    }
    Err(bad_value(kind, path, text, &complaint))
}

/// What `text` may mean, likeliest first.
fn meanings(kind: &ModelKind, path: &str, text: &str) -> Vec<Value> {
    let text = text.trim();
    let mut out = Vec::new();
    out.extend(serde_json::from_str::<Value>(text).ok());
    out.extend(text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::from));
    out.push(Value::from(text));
    out.extend(choice(kind, path, text));
    out.extend(matches!(text, "none" | "off").then_some(Value::Null));
    out.extend(span(text).map(Value::from));
    out.push(Value::from(text.split('|').map(str::trim).collect::<Vec<_>>()));
    out
}

/// `30d` in milliseconds.
fn span(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let millis = match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "min" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        "w" => 6.048e8,
        _ => return None,
    };
    let total = number.trim().parse::<f64>().ok()? * millis;
    (0.0..=9e15).contains(&total).then_some(total.round() as i64)
}

/// The choice `variant` of the parameter at `path` with parameters of its own, as the search space has it.
fn choice(kind: &ModelKind, path: &str, variant: &str) -> Option<Value> {
    let axis = kind.axes().iter().find(|axis| axis.name == path)?;
    let Over::OneOf(values) = axis.over else { return None };
    let values = values.iter().filter_map(|value| serde_json::from_str::<Value>(value).ok());
    values.into_iter().find(|value| value.get(variant).is_some())
}

/// Puts `value` at `path`, making objects on the way: a choice gives way to another one.
fn put(kind: &ModelKind, params: &mut Map<String, Value>, path: &str, value: Value) {
    let mut at = params;
    let mut rest = path;
    let mut walked = 0;
    while let Some((head, tail)) = rest.split_once('.') {
        let here = &path[..walked + head.len()];
        walked += head.len() + 1;
        rest = tail;
        let next = tail.split('.').next().unwrap_or(tail);
        let slot = at.entry(head).or_insert(Value::Null);
        // An externally tagged choice is an object of one field: to set inside another choice is to choose that.
        let other_choice = slot.as_object().is_some_and(|o| o.len() == 1 && !o.contains_key(next));
        if other_choice || !slot.is_object() {
            *slot = choice(kind, here, next).unwrap_or_else(|| json!({}));
        }
        let Value::Object(inner) = slot else { return };
        at = inner;
    }
    at.insert(rest.to_owned(), value);
}

pub(super) fn unknown(kind: &ModelKind, path: &str) -> RecipeError {
    let names: Vec<&str> = kind.table().iter().map(|line| line.name).collect();
    RecipeError::UnknownParam {
        model: kind.name.to_owned(),
        param: path.to_owned(),
        nearest: nearest(path, names.iter().copied()).map(str::to_owned),
        known: names.join(", "),
    }
}

/// An error about a value serde could not read, in the words of the table where there is a line.
fn bad_value(kind: &ModelKind, path: &str, text: &str, complaint: &str) -> RecipeError {
    // serde names what it expected in backticks, after the word.
    let expected = complaint.split_once("expected ").map_or("", |(_, rest)| rest);
    let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let (model, param) = (kind.name.to_owned(), path.to_owned());
    let line = kind.table().iter().find(|line| line.name == path);
    let got = complaint.split('`').nth(1).unwrap_or(text);
    let close = nearest(got, words.iter().copied()).map(str::to_owned);
    if complaint.starts_with("unknown field") {
        return RecipeError::UnknownParam { model, param, nearest: close, known: words.join(", ") };
    }
    let expected = line.map_or_else(|| complaint.to_owned(), |line| line.range.to_string());
    RecipeError::BadValue { model, param, got: text.to_owned(), expected, nearest: close }
}

/// An error about parameters serde could not read: which of them it was is found by trying one at a time.
pub(super) fn unreadable(kind: &ModelKind, params: &Map<String, Value>, complaint: &str) -> RecipeError {
    let alone = |(name, value): (&String, &Value)| {
        let one = Map::from_iter([(name.clone(), value.clone())]);
        let error = (kind.reads)(Value::Object(kind.with(&one))).err()?;
        Some(bad_value(kind, name, &value.to_string(), &error))
    };
    params.iter().find_map(alone).unwrap_or_else(|| bad_value(kind, "parameters", "the given", complaint))
}
