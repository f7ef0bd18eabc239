//! Which share of the effort goes to which trials: the arithmetic of successive halving and Hyperband.
//!
//! With `S` the largest whole number with `eta^-S >= least`, bracket `s` begins `ceil((S + 1) / (s + 1) * eta^s)` trials at
//! a share of `eta^-s`; rung after rung the best `1 / eta` of them go on at `eta` times the share, down to rung `s` at
//! share 1. Hyperband runs the brackets `S, S - 1, .., 0` in turn, successive halving bracket `S` only. Either costs about
//! `S + 1` full trials a bracket times `(S + 1) / (s + 1)`.

use super::domain::Point;
use super::study::Tried;
use super::study_params::Schedule;

/// What comes next.
#[derive(Debug, PartialEq)]
pub(super) enum Rung {
    /// New points; `n` is `None` where the batch decides.
    Fresh { n: Option<usize>, share: f64 },
    /// Old points, at a larger share.
    Promoted { points: Vec<Point>, share: f64 },
}

/// Where a schedule is.
#[derive(Debug)]
pub(super) struct Round {
    brackets: Option<Brackets>,
    /// How many trials the rung at hand has.
    size: usize,
}

#[derive(Debug)]
struct Brackets {
    eta: u32,
    most: u32,
    all: bool,
    /// Bracket and rung at hand; `None` before the first.
    at: Option<(u32, u32)>,
}

impl Round {
    pub(super) fn new(schedule: Schedule) -> Self {
        let of = |eta: u32, least: f64, all| {
            let shares = (1..=64).take_while(|&s| f64::from(eta).powi(-s) >= least * (1.0 - 1e-9));
            Some(Brackets { eta, most: shares.count() as u32, all, at: None })
        };
        let brackets = match schedule {
            Schedule::Full => None,
            Schedule::Halving { eta, least } => of(eta, least, false),
            Schedule::Hyperband { eta, least } => of(eta, least, true),
        };
        Self { brackets, size: 0 }
    }

    /// The next rung, given all finished trials, the last `size` of which are the rung at hand.
    pub(super) fn next(&mut self, tried: &[Tried]) -> Rung {
        let Some(Brackets { eta, most, all, at }) = &mut self.brackets else {
            return Rung::Fresh { n: None, share: 1.0 };
        };
        let share = |bracket: u32, rung: u32| f64::from(*eta).powi(rung as i32 - bracket as i32);
        if let Some((bracket, rung)) = at
            && rung < bracket
        {
            let last = &tried[tried.len().saturating_sub(self.size)..];
            let mut scored: Vec<(f64, &Tried)> = last.iter().filter_map(|t| Some((t.score?, t))).collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0)); // stable: the first of equals
            scored.truncate((last.len() / *eta as usize).max(1));
            if !scored.is_empty() {
                *rung += 1;
                self.size = scored.len();
                let points = scored.into_iter().map(|(_, t)| t.point.clone()).collect();
                return Rung::Promoted { points, share: share(*bracket, *rung) };
            }
        }
        let bracket = match *at {
            Some((bracket, _)) if *all => bracket.checked_sub(1).unwrap_or(*most),
            _ => *most,
        };
        *at = Some((bracket, 0));
        let n = (f64::from(*most + 1) / f64::from(bracket + 1) * f64::from(*eta).powi(bracket as i32)).ceil();
        self.size = n as usize;
        Rung::Fresh { n: Some(n as usize), share: share(bracket, 0) }
    }

    /// Says how many trials a fresh rung really got.
    pub(super) const fn began(&mut self, n: usize) {
        self.size = n;
    }
}
