//! Parameters with one field replaced by any number, NaN and the infinities included, through serde alone.

use serde::de::value::MapDeserializer;
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde_json::{Error, Value};

/// A number no JSON text need be able to carry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Probe {
    Real(f64),
    Int(u64),
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Real(x) => write!(f, "{x}"),
            Self::Int(x) => write!(f, "{x}"),
        }
    }
}

/// A tree of serde data with at most one [`Probe`] in it.
#[derive(Debug)]
pub(super) enum Node {
    Plain(Value),
    Object(Vec<(String, Node)>),
    Probe(Probe),
}

impl Node {
    /// `value` with `probe` at the dotted `path`; `None` when there is no such field.
    pub(super) fn patched(value: &Value, path: &str, probe: Probe) -> Option<Self> {
        let Value::Object(fields) = value else { return None };
        let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
        fields.get(head)?;
        let patch = |name: &String, value: &Value| match rest {
            _ if name != head => Some(Self::Plain(value.clone())),
            None => Some(Self::Probe(probe)),
            Some(rest) => Self::patched(value, rest, probe),
        };
        let fields = fields.iter().map(|(name, value)| Some((name.clone(), patch(name, value)?)));
        fields.collect::<Option<_>>().map(Self::Object)
    }
}

impl<'de> IntoDeserializer<'de, Error> for Node {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Plain(value) => value.deserialize_any(visitor),
            Self::Object(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter())),
            Self::Probe(Probe::Real(x)) => visitor.visit_f64(x),
            Self::Probe(Probe::Int(x)) => visitor.visit_u64(x),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Plain(value) => value.deserialize_option(visitor),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Plain(value) => value.deserialize_newtype_struct(name, visitor),
            inner => visitor.visit_newtype_struct(inner),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Plain(value) => value.deserialize_enum(name, variants, visitor),
            _ => Err(Error::custom("an enum has a type of its own; give it a typed line in the table")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
