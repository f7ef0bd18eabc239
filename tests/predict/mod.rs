//! Who buys again, what, when, for how much.

use likewise::Timestamp;

mod propensity;
mod replenish;
mod value;

fn day(d: i64) -> Timestamp {
    Timestamp::from_secs(d * 86_400)
}

#[test]
#[cfg(feature = "testing")]
fn the_parameter_tables_hold() {
    use likewise::decide::predict::*;
    use likewise::testing::check_params;
    check_params::<SummaryParams>().unwrap();
    check_params::<BgNbdParams>().unwrap();
    check_params::<GammaGammaParams>().unwrap();
    check_params::<ReplenishmentParams>().unwrap();
    check_params::<ProfileParams>().unwrap();
    check_params::<LogisticParams>().unwrap();
    check_params::<LifetimeParams>().unwrap();
}
