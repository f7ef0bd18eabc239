//! Whether the models of a file are those of the lineup: by their recipes, not by how they print.

use std::fmt;
use std::sync::Arc;

use likewise::log::{Durability, MemoryLog};
use likewise::persist::{Loader, PersistError, Saver, Store};
use likewise::recipe::{BlendRecipe, models};
use likewise::serve::{Codecs, Persist};
use likewise::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Scratch;

/// A model of the shop's own: every item has the same score.
#[derive(Debug)]
struct Flat {
    extent: Extent,
    score: f32,
}

impl Scorer for Flat {
    fn name(&self) -> &str {
        "flat"
    }
    fn extent(&self) -> Extent {
        self.extent
    }
    fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
        (0..out.items().len()).for_each(|slot| out.set(slot, self.score));
    }
    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, _: &mut Workspace) {
        out.extend((0..self.extent.n_items as u32).map(ItemIdx::new), limit);
    }
}

impl Persist for Flat {
    const CODEC: &'static str = "example.com/flat";
    fn save(&self, out: &mut Saver<'_>, _: &Codecs) -> Result<(), PersistError> {
        let Extent { lineage, n_items, n_rows } = self.extent;
        out.value("flat", &(lineage, n_items, n_rows, self.score))
    }
    fn load(from: &Loader<'_>, _: &Codecs) -> Result<Self, PersistError> {
        let (lineage, n_items, n_rows, score) = from.value("flat")?;
        Ok(Self { extent: Extent { lineage, n_items, n_rows }, score })
    }
}

trait Level: Send + Sync + 'static {
    fn level(&self) -> f32;
}

/// Parameters, and whether they say so. What it prints is always, or never, the same.
struct Own<P> {
    params: P,
    print: fn(&P) -> String,
    recipe: fn(&P) -> Option<FitRecipe>,
}

impl<P> fmt::Debug for Own<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&(self.print)(&self.params))
    }
}

impl<P: Level> Fit for Own<P> {
    type Model = Flat;
    fn fit(&self, train: &TrainingSet<'_>, _: &Run<'_>) -> Result<Flat, FitError> {
        Ok(Flat { extent: train.data.extent(), score: self.params.level() })
    }
    fn recipe(&self) -> Option<FitRecipe> {
        (self.recipe)(&self.params)
    }
}

#[derive(Serialize, Deserialize)]
struct First {
    level: f32,
}

#[derive(Serialize, Deserialize)]
struct Later {
    level: f32,
    #[serde(default)]
    lift: Option<f32>,
}

impl Level for First {
    fn level(&self) -> f32 {
        self.level
    }
}

impl Level for Later {
    fn level(&self) -> f32 {
        self.level + self.lift.unwrap_or(0.0)
    }
}

fn said<P: Serialize + DeserializeOwned>(params: &P) -> Option<FitRecipe> {
    FitRecipe::of("example.com/flat", params)
}

fn lineup<P: Level>(params: P, print: fn(&P) -> String, recipe: fn(&P) -> Option<FitRecipe>) -> Lineup {
    Lineup::new().model(Own { params, print, recipe }, 1.0, Refit::EveryRefresh)
}

/// What is said of the generation that `first` saved when `next` opens it; `None` when it is served.
fn opened(first: Lineup, next: Lineup) -> Option<String> {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 2).unwrap();
    let log = Arc::new(MemoryLog::default());
    let open = |lineup| {
        let config = LiveConfig::new(lineup).store(store.clone(), Codecs::default().with::<Flat>());
        Live::open(Arc::clone(&log), config, Timestamp::from_secs(9), &Run::new(1)).unwrap()
    };
    let who = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    let live = open(first);
    let event = Event::new(who, "mug", EventKind::Purchase, Timestamp::from_secs(1));
    live.record(&[event], event.at, Durability::Memory).unwrap();
    live.refresh(Timestamp::from_secs(9), &Run::new(1)).unwrap();
    live.save().unwrap();
    let again = open(next);
    let skipped = again.origin().skipped.first().map(|(_, why)| why.clone());
    assert_eq!(again.origin().generation.is_some(), skipped.is_none());
    skipped
}

#[test]
fn models_of_ones_own_are_compared_by_what_they_say() {
    let same: fn(&First) -> String = |_| "always the same".to_owned();
    let first = |level| lineup(First { level }, same, said);
    assert_eq!(opened(first(0.1), first(0.1)), None);
    let why = opened(first(0.1), first(0.2)).unwrap();
    assert!(
        why.contains(r#"1 x example.com/flat {"level":0.1}, now they are 1 x example.com/flat {"level":0.2}"#),
        "{why}"
    );
    // A later version prints otherwise and has a field more: the same, unless the field says something.
    let later = |lift| lineup(Later { level: 0.1, lift }, |_| "otherwise".to_owned(), said);
    assert_eq!(opened(first(0.1), later(None)), None);
    assert!(opened(first(0.1), later(Some(0.5))).is_some());
    // Whoever says less than before is another.
    assert!(opened(later(None), first(0.1)).is_none(), "serde skips what it does not know");
    assert!(opened(first(0.1), lineup(First { level: 0.1 }, same, |_| None)).is_some());
    // Of those who say nothing, what they print counts.
    let mute = |level| lineup(First { level }, |params| format!("level {}", params.level), |_| None);
    assert_eq!(opened(mute(0.1), mute(0.1)), None);
    assert!(opened(mute(0.1), mute(0.2)).unwrap().contains("level 0.1, now they are 1 x level 0.2"));
}

#[test]
fn how_a_model_counts_is_part_of_it() {
    let fit = || PopularityParams::default().check().unwrap();
    let lineups = [
        Lineup::new().model(fit(), 1.0, Refit::EveryRefresh),
        Lineup::new().model(fit(), 0.5, Refit::EveryRefresh),
        Lineup::new().model_scaled(fit(), 1.0, Normalise::MinMax, Refit::EveryRefresh),
        Lineup::new().model_scaled(fit(), 1.0, Normalise::ZScore, Refit::EveryRefresh),
        Lineup::new().fallback(fit(), Refit::EveryRefresh),
        Lineup::new(),
    ];
    for (a, first) in lineups.iter().enumerate() {
        for (b, next) in lineups.iter().enumerate() {
            assert_eq!(opened(first.clone(), next.clone()).is_none(), a == b, "{a} {b}");
        }
    }
    // When it is fitted again is not.
    let by_hand = Lineup::new().model(fit(), 1.0, Refit::ByHand);
    assert_eq!(opened(lineups[0].clone(), by_hand), None);
}

#[test]
fn every_model_says_its_recipe_and_no_two_the_same() {
    let mut all: Vec<(String, FitRecipe)> = Vec::new();
    for kind in models() {
        let of =
            |params: &serde_json::Map<String, serde_json::Value>| kind.build(params).unwrap().recipe_dyn().unwrap();
        let recipe = of(&kind.defaults());
        let text = recipe.to_string();
        let (said, params) = text.split_once(' ').unwrap();
        assert_eq!(said, recipe.kind());
        assert!(recipe.is(said, params) && recipe == of(&kind.defaults()), "{}", kind.name());
        assert!(!recipe.is("another", params) && !recipe.is(said, "nothing"), "{}", kind.name());
        // What is not said is the default of the kind.
        let named = json!({ "name": "another name" });
        if kind.table().iter().any(|line| line.name == "name") {
            assert!(recipe != of(named.as_object().unwrap()), "{}", kind.name());
        }
        for (other, theirs) in &all {
            assert!(*theirs != recipe, "{other} and {}", kind.name());
        }
        all.push((kind.name().to_owned(), recipe));
    }
}

#[test]
fn a_blend_says_all_of_its_parts_and_vectors_are_told_from_others() {
    let blend = |text: &str, pool: usize| {
        let blend = BlendRecipe { pool, ..text.parse::<BlendRecipe>().unwrap() };
        blend.build().unwrap().recipe().unwrap()
    };
    let all = [
        blend("popularity*0.5 + co_view", 200),
        blend("popularity*0.5 + co_view", 300),
        blend("popularity*0.6 + co_view", 200),
        blend("popularity:half_life=14d*0.5 + co_view", 200),
        blend("popularity*0.5@rank + co_view", 200),
        blend("co_view + popularity*0.5", 200),
    ];
    for (a, first) in all.iter().enumerate() {
        assert!(all.iter().enumerate().all(|(b, other)| (first == other) == (a == b)), "{first}");
    }
    // A parameter that is spelt out at its default is the one that is left out.
    let spelt = blend("co_view:shrinkage=10", 200);
    assert!(spelt.to_string().contains("\"shrinkage\":10"), "{spelt}");
    assert_eq!(spelt, blend("co_view", 200));
    assert!(spelt.is("blend", r#"{"parts":[{"model":"co_view"}]}"#));

    let of = |numbers: [f32; 2], key: &str| {
        let mut vectors = Vectors::new(2).unwrap();
        vectors.push(key, &numbers).unwrap();
        EmbeddingRecipe::new(EmbeddingParams::default().check().unwrap(), Arc::new(vectors)).recipe().unwrap()
    };
    let mug = of([1.0, 0.5], "mug");
    assert_eq!(mug, of([1.0, 0.5], "mug"));
    assert!(mug != of([1.0, 0.6], "mug") && mug != of([1.0, 0.5], "tea"));
    assert!(mug.to_string().len() < 2_000, "not the vectors themselves");
}
