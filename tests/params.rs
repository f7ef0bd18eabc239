//! Every recipe keeps the table it documents; those of scorers are checked beside the scorers.

use likewise::testing::check_params;
use likewise::*;

#[test]
fn rankers_recipes_keep_their_tables() {
    check_params::<CapParams>().unwrap();
    check_params::<DiversityParams>().unwrap();
    check_params::<KindWeight>().unwrap();
}

#[test]
fn what_comes_from_json_is_checked_like_what_is_built() {
    let error = serde_json::from_str::<Checked<CapParams>>(r#"{"max": 0}"#).unwrap_err().to_string();
    assert!(error.contains("max = 0") && error.contains("from 1 to 1000"), "{error}");
    assert!(serde_json::from_str::<Checked<CapParams>>(r#"{"maximum": 3}"#).is_err(), "an unknown field is a typo");
    let weights = EventWeights::default().check().unwrap();
    let json = serde_json::to_string(&weights).unwrap();
    assert_eq!(serde_json::from_str::<Checked<EventWeights>>(&json).unwrap(), weights);
}

#[test]
fn event_weights_name_the_kind_and_field() {
    for bad in [f32::NAN, f32::INFINITY, -1.0] {
        let weight = KindWeight { weight: bad, ..KindWeight::default() };
        let error = EventWeights::default().with(EventKind::View, weight).check().unwrap_err();
        assert_eq!((error.param.as_str(), error.got), ("kinds[view].weight", bad.to_string()));
    }
    let itself = vec![Cancel { by: EventKind::Return, of: EventKind::Return }];
    assert_eq!(EventWeights::default().with_cancels(itself).check().unwrap_err().param, "cancels");
}
