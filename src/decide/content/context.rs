//! What is known of a request: facts for the eligibility of an arm, numbers for the linear policies.

use serde::{Deserialize, Serialize};

use crate::{ParamError, ParamSpec, Timestamp, Validate, check_range};

/// Who asks, and where. Everything is optional: what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentContext {
    /// The segments the shopper is in.
    pub segments: Vec<String>,
    /// The device, in the shop's own words.
    pub device: Option<String>,
    /// The hour of the shopper's day, 0 to 23.
    pub hour: Option<u8>,
    /// Affinities, in an order of the shop's own; see [`Features::affinities`].
    pub affinities: Vec<f64>,
}

/// How a context becomes numbers: a one, a one for each listed segment and device that applies, the hour as a point on a
/// circle, and the affinities.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `segments` | none | any names | a number each: 1 for members |
/// | `devices` | none | any names | a number each: 1 for the one in hand |
/// | `hour` | left out | left out, circle | two numbers: cosine and sine of the hour |
/// | `affinities` | 0 | 0 to 256 | how many of the context's affinities are used; missing and non-finite ones are 0 |
///
/// Keep them few and about 1 in size: the linear policies learn `dimension` numbers an arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Features {
    /// Segments with a number each.
    pub segments: Vec<String>,
    /// Devices with a number each.
    pub devices: Vec<String>,
    /// Whether the hour counts.
    pub hour: HourFeature,
    /// How many affinities count.
    pub affinities: u32,
}

/// Whether the hour of the day is among the features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HourFeature {
    /// No.
    #[default]
    LeftOut,
    /// As a point on a circle, so that 23 is next to 0. An unknown hour is the middle.
    Circle,
}

impl Validate for Features {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("segments", "names, none twice", "a number each"),
            ParamSpec::typed("devices", "names, none twice", "a number each"),
            ParamSpec::typed("hour", "left_out or circle", "two numbers"),
            ParamSpec::int("affinities", 0, 256, "how many of the context's affinities are used"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        for (name, of) in [("segments", &self.segments), ("devices", &self.devices)] {
            if let Some(twice) = of.iter().enumerate().find_map(|(n, v)| of.iter().take(n).find(|w| *w == v)) {
                return Err(ParamError::new(name, twice, "names, none twice"));
            }
        }
        check_range::<Self>("affinities", self.affinities.into())
    }
}

impl Features {
    /// How many numbers a context becomes.
    #[must_use]
    pub fn dimension(&self) -> usize {
        let hour = if self.hour == HourFeature::Circle { 2 } else { 0 };
        1 + self.segments.len() + self.devices.len() + hour + self.affinities as usize
    }

    /// The numbers of a context; the first is 1.
    #[must_use]
    pub fn of(&self, context: &ContentContext) -> Vec<f64> {
        let flag = |yes: bool| f64::from(u8::from(yes));
        let mut x = Vec::with_capacity(self.dimension());
        x.push(1.0);
        x.extend(self.segments.iter().map(|s| flag(context.segments.contains(s))));
        x.extend(self.devices.iter().map(|d| flag(context.device.as_ref() == Some(d))));
        if self.hour == HourFeature::Circle {
            let angle = context.hour.map(|hour| f64::from(hour % 24) / 24.0 * std::f64::consts::TAU);
            x.extend(angle.map_or([0.0, 0.0], |a| [a.cos(), a.sin()]));
        }
        let affinity = |n: usize| context.affinities.get(n).copied().filter(|a| a.is_finite()).unwrap_or(0.0);
        x.extend((0..self.affinities as usize).map(affinity));
        x
    }
}

/// Who may see an arm. Every condition that is set must hold; one that cannot be checked (an unknown hour) does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Eligible {
    /// Members of at least one of these segments; everybody if empty.
    pub segments: Vec<String>,
    /// Not members of any of these.
    pub not_segments: Vec<String>,
    /// On one of these devices; any if empty.
    pub devices: Vec<String>,
    /// From the first hour up to, not including, the second, over midnight if the first is later.
    pub hours: Option<(u8, u8)>,
    /// From this instant.
    pub from: Option<Timestamp>,
    /// Up to, not including, this instant.
    pub until: Option<Timestamp>,
}

impl Eligible {
    /// Whether this context may see it at `now`.
    #[must_use]
    pub fn admits(&self, context: &ContentContext, now: Timestamp) -> bool {
        let member = |of: &[String]| of.iter().any(|s| context.segments.contains(s));
        let hour = self.hours.is_none_or(|(from, to)| {
            context.hour.is_some_and(|h| if from <= to { (from..to).contains(&h) } else { h >= from || h < to })
        });
        (self.segments.is_empty() || member(&self.segments))
            && !member(&self.not_segments)
            && (self.devices.is_empty() || context.device.as_ref().is_some_and(|d| self.devices.contains(d)))
            && hour
            && self.from.is_none_or(|from| from <= now)
            && self.until.is_none_or(|until| now < until)
    }
}
