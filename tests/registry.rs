//! Models by name: every line of the list keeps its promises, and wrong names are answered with right ones.

use std::collections::BTreeSet;

use likewise::recipe::{BlendRecipe, ModelKind, ModelRecipe, RecipeError, model, models, nearest};
use likewise::tune::Over;
use likewise::{DatasetBuilder, Fit, HistoryView, ParamRange, PartScale, PartShare, Run};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn get<'a>(params: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = params.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

#[test]
fn every_model_conforms_builds_and_fits_nothing() {
    let nothing = DatasetBuilder::default().build().unwrap();
    let mut names = BTreeSet::new();
    for kind in models() {
        assert!(names.insert(kind.name()), "{} twice", kind.name());
        assert!(!kind.what().is_empty() && !kind.tasks().is_empty(), "{}", kind.name());
        kind.conforms().unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
        let fit = kind.build(&Map::new()).unwrap_or_else(|error| panic!("{error}"));
        match fit.fit_dyn(&(&nothing).into(), &Run::new(1)) {
            Ok(model) => assert!(!model.name().is_empty()),
            Err(error) => assert!(error.to_string().contains("attribute"), "{}: {error}", kind.name()),
        }
        assert_eq!(kind.with(&Map::new()), kind.defaults());
        assert_eq!(kind.changes(&kind.defaults()), Map::new());
    }
}

#[test]
fn every_numeric_line_can_be_set_by_text() {
    for kind in models() {
        for line in kind.table() {
            let ends = match line.range {
                ParamRange::Real { lo, hi } => [lo.to_string(), hi.to_string()],
                ParamRange::Int { lo, hi } => [lo.to_string(), hi.to_string()],
                _ => continue,
            };
            for end in ends {
                let mut params = kind.defaults();
                kind.set(&mut params, line.name, &end).unwrap_or_else(|error| panic!("{error}"));
                kind.build(&params).unwrap_or_else(|error| panic!("{error}"));
                let set = get(&params, line.name).and_then(Value::as_f64).unwrap();
                assert_eq!(set, end.parse::<f64>().unwrap(), "{} {}", kind.name(), line.name);
            }
        }
    }
}

#[test]
fn every_default_can_be_set_by_the_text_serde_writes() {
    for kind in models() {
        let defaults = kind.defaults();
        for (name, value) in &defaults {
            let mut params = kind.defaults();
            kind.set(&mut params, name, &value.to_string()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(params, defaults, "{} {name}", kind.name());
            let fit = kind.build(&Map::from_iter([(name.clone(), value.clone())]));
            assert!(fit.is_ok(), "{} {name}", kind.name());
        }
    }
}

#[test]
fn spaces_lie_within_the_tables() {
    for kind in models() {
        assert!(!kind.axes().is_empty(), "{} has nothing to tune", kind.name());
        for axis in kind.axes() {
            let name = format!("{} {}", kind.name(), axis.name);
            let ends: Vec<String> = match axis.over {
                Over::Real { lo, hi } | Over::Log { lo, hi } => {
                    assert!(lo < hi && (lo > 0.0 || matches!(axis.over, Over::Real { .. })), "{name}");
                    vec![lo.to_string(), hi.to_string()]
                }
                Over::Int { lo, hi } | Over::LogInt { lo, hi } => {
                    assert!(lo < hi && (lo > 0 || matches!(axis.over, Over::Int { .. })), "{name}");
                    vec![lo.to_string(), hi.to_string()]
                }
                Over::OneOf(choices) => choices.iter().map(|&choice| choice.to_owned()).collect(),
                _ => panic!("{name}: test it"),
            };
            for end in ends {
                let mut params = kind.defaults();
                kind.set(&mut params, axis.name, &end).unwrap_or_else(|error| panic!("{error}"));
                let (head, tail) = axis.name.split_once('.').unwrap_or((axis.name, ""));
                if let Err(error) = kind.build(&params) {
                    // A corner that only another axis makes possible; one alone must do for top-level ones.
                    assert!(!tail.is_empty(), "{name} = {end} of {head}: {error}");
                }
            }
        }
    }
}

#[test]
fn spaces_reach_their_nested_axes() {
    use likewise::tune::{Ask, Flow, Sampler, Start, Study, StudyParams};
    use likewise::{Run, Validate};
    for kind in models() {
        let params = StudyParams { sampler: Sampler::Random, start: Start::Anywhere, ..StudyParams::default() };
        let mut study = Study::new(kind.space(), params.check().unwrap(), 1);
        let fine = |ask: &Ask<'_>| kind.build(ask.params).map(|_| 0.0);
        study.run(60, &fine, &Run::new(1), |_| Flow::Continue).unwrap();
        assert!(study.trials().iter().all(|trial| trial.score().is_some()), "{}", kind.name());
        for axis in kind.axes() {
            let tried = study.trials().iter().filter_map(|trial| get(&trial.params, axis.name));
            let distinct: BTreeSet<String> = tried.map(Value::to_string).collect();
            assert!(distinct.len() > 1, "{} never varies {}", kind.name(), axis.name);
        }
    }
}

fn refusal(text: &str) -> String {
    text.parse::<ModelRecipe>().map(|recipe| recipe.to_string()).unwrap_err().to_string()
}

#[test]
fn wrong_words_are_answered_with_right_ones() {
    assert!(
        refusal("popularty").starts_with(r#"there is no model "popularty" (did you mean "popularity"?); there are"#)
    );
    assert!(refusal("als:factor=3").starts_with(r#"als has no parameter "factor" (did you mean "factors"?); it has"#));
    assert_eq!(refusal("als:factors=0"), "als: factors = 0 is not allowed; expected a whole number from 1 to 1024");
    assert_eq!(
        refusal("als:factors=many"),
        "als: factors = many is not allowed; expected a whole number from 1 to 1024"
    );
    assert_eq!(
        refusal("als:confidence=liner"),
        r#"als: confidence = liner is not allowed; expected linear or log (did you mean "linear"?)"#
    );
    assert!(
        refusal("als:solver.conjugate_gradient.step=3").contains("steps"),
        "{}",
        refusal("als:solver.conjugate_gradient.step=3")
    );
    assert!(refusal("co_view:recency.position.half_life=3").contains("positions"));
    assert!(refusal("als:factors").contains("no KEY=VALUE"));
    assert!(refusal("").contains("name is missing"));
    assert!(refusal("als:solver={").contains("other half"));
    assert!(refusal("co_view:kinds=view").starts_with(r#"co_view has no parameter "kinds""#));
}

#[test]
fn values_are_read_as_they_are_meant() {
    let params = |text: &str| text.parse::<ModelRecipe>().unwrap_or_else(|error| panic!("{error}")).params;
    assert_eq!(params("popularity:half_life=30d"), Map::new(), "the default");
    assert_eq!(params("popularity:half_life=1.5h")["half_life"], 5_400_000);
    assert_eq!(params("popularity:half_life=none")["half_life"], Value::Null);
    assert_eq!(params("popularity:kinds=view|purchase")["kinds"], serde_json::json!(["view", "purchase"]));
    assert_eq!(params(r#"popularity:kinds=["view","purchase"]"#)["kinds"], serde_json::json!(["view", "purchase"]));
    assert_eq!(params("popularity:kinds=purchase")["kinds"], serde_json::json!(["purchase"]));
    assert_eq!(params("popularity:smoothing=.5")["smoothing"], 0.5);
    assert_eq!(params("popularity:name=30d")["name"], "30d", "a name stays a name");
    assert_eq!(params("als:solver=cholesky")["solver"], "cholesky");
    let time = params("co_view:recency.time.half_life=2d");
    assert_eq!(time["recency"], serde_json::json!({ "time": { "half_life": 172_800_000 } }), "one choice for another");
    let choice = params("co_view:recency=time");
    assert!(choice["recency"]["time"]["half_life"].is_number(), "a choice starts from the space's values");
    assert_eq!(params("co_view:recency=none")["recency"], Value::Null);
    assert_eq!(params(" als : factors = 16 , alpha0 = 1e-2 ")["alpha0"], 0.01);
}

#[test]
fn presets_keep_their_own_defaults() {
    assert_eq!(model("co_purchase").unwrap().defaults()["name"], "co_purchase");
    let recipe: ModelRecipe = "co_purchase:shrinkage=5".parse().unwrap();
    assert!(format!("{:?}", recipe.build().unwrap()).contains("co_purchase"));
}

#[test]
fn blends_are_read_and_written() {
    let blend: BlendRecipe = "als:factors=16,solver=cholesky*0.7+popularity * 3e-1 + als:alpha=1e+1".parse().unwrap();
    assert_eq!(
        blend.parts.iter().map(|p| (p.model.as_str(), p.weight)).collect::<Vec<_>>(),
        [("als", 0.7), ("popularity", 0.3), ("als", 1.0)]
    );
    assert_eq!(blend.to_string().parse::<BlendRecipe>().unwrap(), blend);
    let json = serde_json::to_string(&blend).unwrap();
    assert_eq!(serde_json::from_str::<BlendRecipe>(&json).unwrap(), blend);
    let scaled =
        r#"als*0.7@rank + vstan*0.3@best@{"grows":{"half_life":2.0}}@session + popularity*1@{"log":{"floor":0.5}}"#;
    let blend: BlendRecipe = scaled.parse().unwrap();
    assert_eq!(blend.parts[0].scale, PartScale::Rank { c: 60.0 });
    assert_eq!(blend.parts[1].share, PartShare::Grows { half_life: 2.0 });
    assert_eq!(blend.parts[1].view, HistoryView::Session);
    assert_eq!(blend.to_string().parse::<BlendRecipe>().unwrap(), blend);
    assert!("als*1@ranks".parse::<BlendRecipe>().unwrap_err().to_string().contains("as_is, best"));
    for wrong in [
        "als*1@rank@constant@x",
        "",
        "als*",
        "als*0",
        "als*-1",
        "als*nan",
        "als*1*2",
        "als + ",
        "*0.3",
        "als + nothing*0.3",
    ] {
        assert!(wrong.parse::<BlendRecipe>().is_err(), "{wrong:?}");
    }
    assert_eq!(BlendRecipe { parts: Vec::new(), pool: 1 }.build().map(drop).unwrap_err(), RecipeError::NoParts);
}

#[test]
fn a_blend_of_one_model_twice_makes_a_ranker() {
    let blend: BlendRecipe = "popularity*0.5 + popularity:half_life=1d*0.5".parse().unwrap();
    let data = DatasetBuilder::default().build().unwrap();
    let ranker = blend.ranker(&(&data).into(), &Run::new(1)).unwrap().build().unwrap();
    let names: Vec<&str> = ranker.scorers().iter().map(|scorer| scorer.name()).collect();
    assert_eq!(names, ["popularity", "popularity_2"]);
    let one = blend.build().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap();
    assert_eq!(one.parts().iter().map(|part| part.weight).collect::<Vec<_>>(), [0.5, 0.5]);
}

#[test]
fn nearest_prefers_the_same_beginning_then_fewer_edits() {
    assert_eq!(nearest("facto", ["factors", "fact"]), Some("fact"));
    assert_eq!(nearest("regularisation", ["regularization", "recency"]), Some("regularization"));
    assert_eq!(nearest("", ["a"]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_text_panics(text in "[a-z_:=,*+.{}\\[\\]\"| 0-9é-]{0,40}", pick in 0..models().len()) {
        let name = models()[pick].name();
        let _ = text.parse::<BlendRecipe>();
        let _ = format!("{name}:{text}").parse::<BlendRecipe>();
        let key = models()[pick].table()[text.len() % models()[pick].table().len()].name;
        let _ = format!("{name}:{key}={text}").parse::<BlendRecipe>();
        let _ = format!("{name}:{key}.{text}").parse::<ModelRecipe>();
    }
}

#[test]
fn kinds_are_small_and_copy() {
    fn copies<T: Copy + Send + Sync>(_: T) {}
    copies::<ModelKind>(*model("als").unwrap());
}
