//! Parameters against their own table.

use std::any::type_name;
use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::patch::{Node, Probe};
use crate::params::{ParamRange, ParamSpec, Validate};

/// Parameters that do not keep their own table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{params}: with {param} = {given}, expected {expected}, got {got}")]
pub struct ParamViolation {
    /// The parameters' type.
    pub params: &'static str,
    /// The field.
    pub param: String,
    /// What it was set to.
    pub given: String,
    /// What the table demands.
    pub expected: String,
    /// What happened.
    pub got: String,
}

/// Checks that parameters and their table agree.
///
/// * the default is valid, and comes back from serde as it was;
/// * every field has a line and every line a field (a line `a.b` is field `b` inside field `a`), each once, with words;
/// * of every numeric line both ends are accepted and survive serde; values just outside, NaN, the infinities, and zero
///   where it is outside, are refused by an error that names the field;
/// * a field that does not exist is refused.
///
/// Only one field is changed at a time, so where two fields limit each other, the defaults must leave room for both ends.
///
/// # Errors
/// The first [`ParamViolation`] found.
///
/// # Example
/// ```
/// use likewise::testing::{ShopParams, check_params};
/// check_params::<ShopParams>()?;
/// # Ok::<(), likewise::testing::ParamViolation>(())
/// ```
pub fn check_params<P: Validate + Serialize + DeserializeOwned + Default>() -> Result<(), ParamViolation> {
    let fail = |param: &str, given: String, expected: &str, got: String| {
        let (param, expected) = (param.to_owned(), expected.to_owned());
        Err(ParamViolation { params: type_name::<P>(), param, given, expected, got })
    };
    if let Err(error) = P::default().validate() {
        return fail(&error.param, error.got.clone(), "a valid default", error.to_string());
    }
    let default = match serde_json::to_value(P::default()) {
        Ok(value) => value,
        Err(error) => return fail("all", "the default".to_owned(), "it to serialise", error.to_string()),
    };
    match serde_json::from_value::<P>(default.clone()).and_then(serde_json::to_value) {
        Ok(again) if again == default => {}
        Ok(again) => return fail("all", default.to_string(), "the same back from serde", again.to_string()),
        Err(error) => return fail("all", default.to_string(), "it to deserialise", error.to_string()),
    }
    let Value::Object(fields) = &default else {
        return fail("all", default.to_string(), "a struct with named fields", "something else".to_owned());
    };
    let top = |name: &'static str| name.split('.').next().unwrap_or(name);
    let lines: BTreeSet<&str> = P::table().iter().map(|line| top(line.name)).collect();
    if let Some(field) = fields.keys().find(|field| !lines.contains(field.as_str())) {
        return fail(field, "any".to_owned(), "a line in the table", "none".to_owned());
    }
    let mut names = BTreeSet::new();
    for line in P::table() {
        if !names.insert(line.name) {
            return fail(line.name, "any".to_owned(), "one line in the table", "two".to_owned());
        }
        if line.what.trim().is_empty() {
            return fail(line.name, "any".to_owned(), "words in the table", "none".to_owned());
        }
        check_line::<P>(&default, line)?;
    }
    let mut strange = fields.clone();
    strange.insert("no_such_field".to_owned(), Value::from(1));
    if serde_json::from_value::<P>(Value::Object(strange)).is_ok() {
        return fail("no_such_field", "1".to_owned(), "deny_unknown_fields", "acceptance".to_owned());
    }
    Ok(())
}

fn check_line<P: Validate + Serialize + DeserializeOwned>(
    default: &Value,
    line: &ParamSpec,
) -> Result<(), ParamViolation> {
    for (probe, inside) in probes(line.range) {
        let fail = |expected: &str, got: String| {
            let (param, given, expected) = (line.name.to_owned(), probe.to_string(), expected.to_owned());
            Err(ParamViolation { params: type_name::<P>(), param, given, expected, got })
        };
        let Some(node) = Node::patched(default, line.name, probe) else {
            return fail("a field of that name", "none".to_owned());
        };
        match (P::deserialize(node), inside) {
            (Err(error), true) => return fail("acceptance", error.to_string()),
            (Err(_), false) => {}
            (Ok(params), true) => {
                if let Err(error) = params.validate() {
                    return fail("acceptance", error.to_string());
                }
                let again = serde_json::to_value(&params).and_then(serde_json::from_value::<P>);
                if let Some(error) = again.map_or_else(|e| Some(e.to_string()), |p| p.validate().err().map(|e| e.param))
                {
                    return fail("it to survive serde", error);
                }
            }
            (Ok(params), false) => match params.validate() {
                Ok(()) => return fail("refusal", "acceptance".to_owned()),
                Err(error) if error.param != line.name => return fail("an error naming the field", error.to_string()),
                Err(_) => {}
            },
        }
    }
    let exists = line.name.split('.').try_fold(default, |value, name| value.get(name));
    if exists.is_none() {
        let (param, given, expected) = (line.name.to_owned(), "any".to_owned(), "a field of that name".to_owned());
        return Err(ParamViolation { params: type_name::<P>(), param, given, expected, got: "none".to_owned() });
    }
    Ok(())
}

/// Numbers to try, and whether they belong to the range.
fn probes(range: ParamRange) -> Vec<(Probe, bool)> {
    match range {
        ParamRange::Real { lo, hi } => {
            // Far enough to stay outside when the field is an `f32`.
            let step = |x: f64| (x.abs() * 1e-6).max(1e-30);
            let tries = [lo, hi, lo - step(lo), hi + step(hi), 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            tries.into_iter().map(|x| (Probe::Real(x), (lo..=hi).contains(&x))).collect()
        }
        ParamRange::Int { lo, hi } => {
            // Above 2^53 neighbours are one and the same `f64`.
            let above = hi.checked_add((hi >> 40).max(1));
            let tries = [Some(lo), Some(hi), lo.checked_sub(1), above, Some(0)];
            let ints = tries.into_iter().flatten().map(|x| (Probe::Int(x), (lo..=hi).contains(&x)));
            ints.chain([f64::NAN, f64::INFINITY, -1.0].map(|x| (Probe::Real(x), false))).collect()
        }
        ParamRange::Typed(_) => Vec::new(),
    }
}
