//! Variants of one recipe share what was fitted, and a batch says who its answers are for.

use std::error::Error;
use std::sync::{Arc, Mutex};

use likewise::*;

type Outcome = Result<(), Box<dyn Error>>;

fn snapshot() -> Result<Snapshot, Box<dyn Error>> {
    let at = Timestamp::from_secs(1_000);
    let buy = |who, item| Event::new(who, item, EventKind::Purchase, at);
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    let bob = Shopper::Profiled(Consented::new("bob", LawfulBasis::Contract));
    let visitor = Shopper::Anonymous { session: "s1" };
    let mut builder = DatasetBuilder::default();
    builder.ingest(vec![buy(ann, "mug"), buy(visitor, "mug"), buy(visitor, "tea"), buy(bob, "mug")])?;
    let data = Arc::new(builder.finish()?);
    let popular = PopularityParams::default().check()?.fit(&(&*data).into(), &Run::new(1))?;
    let ranker = Ranker::builder().scorer(Arc::new(popular), 1.0).build()?;
    Ok(Snapshot::new(data, Arc::default(), Arc::new(ranker))?)
}

fn pin(id: &str, item: &str) -> Rule {
    Rule::new(id, Action::Pin { item: item.to_owned(), position: 0, filters: PinFilters::Respect })
}

#[test]
fn other_rules_take_the_place_of_the_old_and_share_the_scorers() -> Outcome {
    let plain = snapshot()?;
    let request = Request::anonymous(Timestamp::from_secs(2_000));
    let first = |snapshot: &Snapshot| -> Result<String, RequestError> {
        Ok(snapshot.recommend(&request)?.ids().next().unwrap_or_default().to_owned())
    };
    let tea = plain.with_ranker(Arc::new(plain.ranker().with_rules([pin("tea", "tea")])?))?;
    let none = tea.with_ranker(Arc::new(tea.ranker().with_rules([])?))?;
    assert_eq!([first(&plain)?, first(&tea)?, first(&none)?], ["mug", "tea", "mug"]);
    assert!(Arc::ptr_eq(&plain.ranker().scorers()[0], &tea.ranker().scorers()[0]));
    Ok(())
}

#[test]
fn other_rules_are_checked_like_the_first() -> Outcome {
    let twice = snapshot()?.ranker().with_rules([pin("tea", "tea"), pin("tea", "mug")]);
    assert_eq!(twice.err(), Some(RankerError::Rule(RuleError::Twice { rule: "tea".to_owned() })));
    Ok(())
}

#[test]
fn a_batch_over_all_counts_and_names_profiled_shoppers_only() -> Outcome {
    let snapshot = snapshot()?;
    let steps = Mutex::new(Vec::new());
    let progress = |p: Progress| steps.lock().unwrap().push((p.step, p.of));
    let request = |id| Request::profiled(Consented::new(id, LawfulBasis::Contract), Timestamp::from_secs(2_000));
    let mut names = Vec::new();
    snapshot.recommend_all(request, &Run::default().progress(&progress), |answer| {
        names.push(answer.request.user().map(|user| user.user().to_owned()));
        Flow::Continue
    })?;
    assert_eq!(names, [Some("ann".to_owned()), Some("bob".to_owned())]);
    assert_eq!(steps.lock().unwrap().last(), Some(&(2, 2)), "two of two, whatever the anonymous rows");
    assert_eq!(Request::anonymous(Timestamp::from_secs(0)).user(), None);
    Ok(())
}
