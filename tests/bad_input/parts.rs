//! Scorers and re-ranks that break their word, and parts that do not fit together.

use super::*;

#[test]
fn what_a_ranker_needs_must_be_there_and_fit() {
    let data = wares(&["a"]);
    let bind =
        |ranker: RankerBuilder| Snapshot::new(Arc::clone(&data), catalog_of(&[]), Arc::new(ranker.build().unwrap()));
    let select = || Select::within("colour", ["red"]);
    let unknown = ["no attribute `colour`", "check the spelling"];
    says(bind(Ranker::builder().only(select())), &unknown);
    says(
        bind(Ranker::builder().rule(Rule::new("r", Action::Boost { items: select(), by: 1.0 }))),
        &["rule \"r\"", unknown[0]],
    );
    let cap = |attribute: &str| CapParams { attribute: attribute.into(), ..CapParams::default() };
    let alike = |alike| DiversityParams { alike, ..DiversityParams::default() }.check().unwrap();
    let missing = ["the attribute \"colour\"", "declare it in the catalogue"];
    says(bind(Ranker::builder().rerank(cap("colour").check().unwrap())), &missing);
    says(bind(Ranker::builder().rerank(alike(Alike::Attribute("colour".into())))), &missing);
    let rule = |attribute: &str| Action::Cap { attribute: attribute.into(), max: 1, when_short: WhenShort::Relax };
    says(bind(Ranker::builder().rule(Rule::new("r", rule("colour")))), &["rule \"r\"", missing[0], missing[1]]);
    let unknown = ["diversity needs the scorer \"als\"", "add it to the ranker"];
    says(bind(Ranker::builder().rerank(alike(Alike::Scorer("als".into())))), &unknown);
    // An attribute that is there, but has no values to count or compare.
    for wrong in ["size", "note"] {
        let unfit = ["needs a category or tags attribute", wrong];
        says(bind(Ranker::builder().rerank(cap(wrong).check().unwrap())), &unfit);
        says(bind(Ranker::builder().rerank(alike(Alike::Attribute(wrong.into())))), &unfit);
        says(bind(Ranker::builder().rule(Rule::new("r", rule(wrong)))), &unfit);
    }
    // A request's own expression is an error of that request.
    let snapshot = bind(Ranker::builder()).unwrap();
    let (select, size) = (select(), Select::within("size", ["10"]));
    says(snapshot.recommend(&anybody().only(&select)), &["`only`", "no attribute `colour`"]);
    says(snapshot.recommend(&anybody().only(&size)), &["`size` is a number attribute", "a category or tags attribute"]);
    says(snapshot.explain(&anybody().only(&select), "a"), &["`only`"]);
    assert_eq!(told(&snapshot, &anybody()), "a", "and of that one only");
}

#[test]
fn scorers_that_do_not_belong_together() {
    let data = wares(&["a", "b"]);
    let one = || Scripted::new("one", &data, &[("a", 1.0)]);
    let twins = Ranker::builder().scorer(one().share(), 1.0).scorer(one().share(), 1.0).build();
    says(twins, &[r#"two scorers are called "one""#, "another name"]);
    let extent = data.extent();
    let join = |extent| {
        let ranker = |r: RankerBuilder| Snapshot::new(Arc::clone(&data), catalog_of(&[]), Arc::new(r.build().unwrap()));
        let strange = || one().extent(extent).share();
        [ranker(Ranker::builder().scorer(strange(), 1.0)), ranker(Ranker::builder().fallback(strange()))]
    };
    for outcome in join(Extent { lineage: Lineage::new(8), ..extent }) {
        says(outcome, &[r#"scorer "one""#, "Lineage(8)", "Lineage(7)", "fit it on this data"]);
    }
    for later in [
        Extent { n_items: 3, ..extent },
        Extent { n_rows: extent.n_rows + 1, ..extent },
        Extent { n_items: usize::MAX, ..extent },
    ] {
        for outcome in join(later) {
            says(outcome, &[r#"scorer "one""#, "more than the dataset holds", "serve the later dataset"]);
        }
    }
    for outcome in join(Extent { n_items: 0, n_rows: 0, ..extent }) {
        assert_eq!(outcome.unwrap().recommend(&anybody()).unwrap().len(), 2, "of an earlier dataset is fine");
    }
}

#[test]
fn a_scorer_that_returns_what_is_no_number() {
    let data = wares(&["a", "b", "c", "d", "e"]);
    let wild = [("a", f32::NAN), ("b", f32::INFINITY), ("c", f32::MAX), ("d", f32::MIN), ("e", f32::NEG_INFINITY)];
    let normalise = [Normalise::AsIs, Normalise::MinMax, Normalise::ZScore, Normalise::Rank, Normalise::Quantile];
    let missing = [Missing::Nothing, Missing::Mean, Missing::Redistribute];
    let sums = normalise.into_iter().flat_map(|n| missing.map(|m| Blend::WeightedSum { normalise: n, missing: m }));
    for blend in sums.chain([Blend::ReciprocalRank { c: 60.0 }]) {
        for weights in [[1.0, 1.0], [1e6, f32::MIN_POSITIVE]] {
            let ranker = Ranker::builder()
                .blend(blend)
                .scorer(Scripted::new("wild", &data, &wild).share(), weights[0])
                .scorer(Scripted::new("mild", &data, &[("a", 1.0), ("d", 1.0)]).share(), weights[1])
                .fallback(Scripted::new("wild", &data, &wild).share());
            let list = serve(&data, &catalog_of(&[]), ranker).recommend(&anybody()).unwrap();
            assert_eq!(list.len(), 5, "no opinion is no reason to lose an item");
            for item in list.iter() {
                assert!(item.score().is_finite());
                let sum: f32 = item.contributions().iter().map(|c| c.value).sum();
                assert_eq!((sum + 0.0).to_bits(), item.score().to_bits());
            }
        }
    }
}

#[test]
fn a_scorer_that_proposes_what_it_should_not() {
    let data = wares(&["a", "b", "c", "d"]);
    // Unknown items are counted, repeated ones are one, and what is beyond the limit is still judged.
    let wild = Scripted::new("wild", &data, &[("a", 1.0), ("b", 2.0)]);
    let wild = wild.proposing([u32::MAX, 4, 0, 0, 0, 1, 0, 2, 1, 77]).share();
    let list = serve(&data, &catalog_of(&[]), as_is().scorer(wild, 1.0).candidates(2)).recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["b", "a", "c", "d"]);
    let stage = list.stages()[0];
    assert_eq!((stage.asked, stage.new, stage.unknown), (2, 3, 3));
    // As a fallback.
    let wild = Scripted::new("wild", &data, &[]).proposing([9, 3, 3, 3, 1]).share();
    let list = serve(&data, &catalog_of(&[]), as_is().fallback(wild)).recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["d", "b", "a", "c"]);
    assert_eq!(list.stages()[0].unknown, 1);
}

/// A re-rank that does what it must not.
#[derive(Clone, Debug)]
enum Wild {
    Always(f32),
    Rising,
    NeverTwice,
}

impl Rerank for Wild {
    fn name(&self) -> &str {
        "wild"
    }

    fn value(&self, _: &Context<'_>, next: NextPlace<'_>, memo: &mut Memo) -> Option<f32> {
        memo.value += 1.0;
        match self {
            Self::Always(value) => Some(*value),
            Self::Rising => Some(next.value + (next.item.get() * 10 * next.chosen.len() as u32) as f32),
            Self::NeverTwice => (memo.value < 2.0).then_some(next.value),
        }
    }
}

#[test]
fn a_rerank_that_breaks_its_word() {
    let data = wares(&["a", "b", "c"]);
    let list = |wild: Wild| {
        let one = Scripted::new("one", &data, &[("a", 3.0), ("b", 2.0), ("c", 1.0)]).share();
        serve(&data, &catalog_of(&[]), as_is().scorer(one, 1.0).rerank(wild)).recommend(&anybody()).unwrap()
    };
    for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let list = list(Wild::Always(none));
        assert_eq!(list.ids().collect::<Vec<_>>(), ["a", "b", "c"], "refused, so it comes at the end, by score");
        assert!(list.iter().all(|item| item.placement() == Placement::Relaxed));
    }
    assert_eq!(list(Wild::Always(0.0)).ids().collect::<Vec<_>>(), ["a", "b", "c"], "all alike: by number");
    // A value that rises is held to what it was: the order of the scores remains, and nothing is lost.
    assert_eq!(list(Wild::Rising).ids().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(list(Wild::NeverTwice).len(), 3);
}
