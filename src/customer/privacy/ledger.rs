//! What was spent of a privacy budget, and what is left.

use serde::{Deserialize, Serialize};

/// What one release costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Loss {
    /// ε-differential privacy.
    Pure {
        /// ε.
        epsilon: f64,
    },
    /// ρ-zero-concentrated differential privacy.
    Concentrated {
        /// ρ.
        rho: f64,
    },
}

impl Loss {
    /// As ρ: ε-DP is (ε²/2)-zCDP (Bun & Steinke 2016, proposition 1.4).
    fn rho(self) -> f64 {
        match self {
            Self::Pure { epsilon } => epsilon * epsilon / 2.0,
            Self::Concentrated { rho } => rho,
        }
    }
}

/// Why a budget cannot be had, or a release not be paid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A number that is no budget.
    #[error("{field} is {got}; expected {expected}")]
    Bad {
        /// Which.
        field: &'static str,
        /// What it is.
        got: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// More than is left. Nothing was drawn, nothing spent.
    #[error(
        "the release would bring the loss to epsilon {would:.6}, the budget is {budget:.6}: ask for less, or wait for the next period's budget"
    )]
    Exhausted {
        /// ε after the release.
        would: f64,
        /// The budget's ε.
        budget: f64,
    },
    /// Gaussian noise in a ledger with δ = 0.
    #[error(
        "Gaussian noise has no pure epsilon: open the ledger with a delta above 0 (1e-6 is usual), or use Laplace noise"
    )]
    NoDelta,
}

/// The account of all releases about the same shoppers. Keep it (it is serde data) as long as they are shoppers: privacy
/// losses add up over releases and never heal.
///
/// The total is the smaller of the sum of the ε (basic composition; pure releases only) and of what the sum of the ρ
/// comes to at the ledger's δ: `ρ + 2 √(ρ ln(1/δ))` (Bun & Steinke 2016, proposition 1.3).
///
/// Reading one that was kept goes through the same doors: what could not have been opened or paid (a budget out of range, a
/// loss below 0 that would give some back) is an error of the reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Kept")]
pub struct Ledger {
    epsilon: f64,
    delta: f64,
    losses: Vec<Loss>,
}

/// A ledger as somebody wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    epsilon: f64,
    delta: f64,
    losses: Vec<Loss>,
}

impl TryFrom<Kept> for Ledger {
    type Error = LedgerError;

    fn try_from(kept: Kept) -> Result<Self, LedgerError> {
        let mut ledger = Self::new(kept.epsilon, kept.delta)?;
        kept.losses.iter().try_for_each(|loss| ledger.possible(*loss))?;
        ledger.losses = kept.losses;
        if ledger.affordable() {
            Ok(ledger)
        } else {
            Err(LedgerError::Exhausted { would: ledger.spent(), budget: ledger.epsilon })
        }
    }
}

impl Ledger {
    /// A budget of (ε, δ); δ of 0 for pure releases only.
    ///
    /// # Errors
    /// [`LedgerError::Bad`] unless `0 < ε ≤ 100` and `0 ≤ δ ≤ 0.01`.
    pub fn new(epsilon: f64, delta: f64) -> Result<Self, LedgerError> {
        if !(epsilon > 0.0 && epsilon <= 100.0) {
            return Err(LedgerError::Bad { field: "epsilon", got: epsilon, expected: "above 0, at most 100" });
        }
        if !(0.0..=0.01).contains(&delta) {
            return Err(LedgerError::Bad { field: "delta", got: delta, expected: "0 to 0.01" });
        }
        Ok(Self { epsilon, delta, losses: Vec::new() })
    }

    /// ε spent so far, at the ledger's δ.
    #[must_use]
    pub fn spent(&self) -> f64 {
        self.total(&self.losses)
    }

    /// The budget's (ε, δ).
    #[must_use]
    pub const fn budget(&self) -> (f64, f64) {
        (self.epsilon, self.delta)
    }

    /// What was paid, in order.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    fn total(&self, losses: &[Loss]) -> f64 {
        let pure = losses.iter().try_fold(0.0, |sum, loss| match loss {
            Loss::Pure { epsilon } => Some(sum + epsilon),
            Loss::Concentrated { .. } => None,
        });
        let rho: f64 = losses.iter().map(|loss| loss.rho()).sum();
        let concentrated = if rho == 0.0 {
            0.0
        } else if self.delta == 0.0 {
            f64::INFINITY
        } else {
            rho + 2.0 * (rho * (1.0 / self.delta).ln()).sqrt()
        };
        pure.map_or(concentrated, |pure: f64| pure.min(concentrated))
    }

    /// Pays for one release, before it is made.
    ///
    /// # Errors
    /// [`LedgerError`]; then nothing was paid.
    pub fn pay(&mut self, loss: Loss) -> Result<(), LedgerError> {
        self.possible(loss)?;
        self.losses.push(loss);
        if !self.affordable() {
            let would = self.spent();
            self.losses.pop();
            return Err(LedgerError::Exhausted { would, budget: self.epsilon });
        }
        Ok(())
    }

    /// Whether all that was paid is within the budget. A sum of floats may end a hair above what was meant.
    fn affordable(&self) -> bool {
        self.spent() <= self.epsilon * (1.0 + 1e-12)
    }

    /// That a loss is one, and one this ledger can count.
    fn possible(&self, loss: Loss) -> Result<(), LedgerError> {
        if matches!(loss, Loss::Concentrated { .. }) && self.delta == 0.0 {
            return Err(LedgerError::NoDelta);
        }
        let amount = match loss {
            Loss::Pure { epsilon } => epsilon,
            Loss::Concentrated { rho } => rho,
        };
        if amount > 0.0 && amount.is_finite() {
            Ok(())
        } else {
            Err(LedgerError::Bad { field: "the loss", got: amount, expected: "a number above 0" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_losses_compose_better_than_they_add() {
        let mut ledger = Ledger::new(10.0, 1e-6).unwrap();
        for _ in 0..100 {
            ledger.pay(Loss::Pure { epsilon: 0.1 }).unwrap();
        }
        // rho = 100 * 0.005 = 0.5; 0.5 + 2 sqrt(0.5 ln 1e6) = 5.7565
        assert!((ledger.spent() - 5.7565).abs() < 1e-3, "{}", ledger.spent());
        let mut few = Ledger::new(1.0, 1e-6).unwrap();
        few.pay(Loss::Pure { epsilon: 0.4 }).unwrap();
        few.pay(Loss::Pure { epsilon: 0.6 }).unwrap();
        assert!((few.spent() - 1.0).abs() < 1e-12);
        assert!(matches!(few.pay(Loss::Pure { epsilon: 0.1 }), Err(LedgerError::Exhausted { .. })));
        assert_eq!(few.losses().len(), 2);
    }

    /// A ledger is kept in a file: nobody gets budget back by an entry below zero.
    #[test]
    fn a_kept_ledger_is_read_as_strictly_as_it_was_written() {
        let mut ledger = Ledger::new(2.0, 1e-6).unwrap();
        ledger.pay(Loss::Pure { epsilon: 0.25 }).unwrap();
        ledger.pay(Loss::Concentrated { rho: 1e-3 }).unwrap();
        let kept = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&kept).unwrap(), ledger);
        for (from, to, why) in [
            ("0.25", "-0.25", "the loss is -0.25"),
            ("0.25", "7.5", "the budget is 2"),
            ("\"epsilon\":2.0", "\"epsilon\":-2.0", "epsilon is -2"),
            ("1e-6", "0.5", "delta is 0.5"),
            ("1e-6", "0.0", "delta above 0"),
        ] {
            assert!(kept.contains(from), "{kept}");
            let error = serde_json::from_str::<Ledger>(&kept.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        assert!(matches!(Ledger::new(0.0, 0.0), Err(LedgerError::Bad { field: "epsilon", .. })));
        assert!(matches!(Ledger::new(f64::NAN, 0.0), Err(LedgerError::Bad { field: "epsilon", .. })));
        assert!(matches!(Ledger::new(1.0, 0.5), Err(LedgerError::Bad { field: "delta", .. })));
        let mut pure = Ledger::new(1.0, 0.0).unwrap();
        assert_eq!(pure.pay(Loss::Concentrated { rho: 0.01 }), Err(LedgerError::NoDelta));
        assert!(matches!(pure.pay(Loss::Pure { epsilon: -1.0 }), Err(LedgerError::Bad { .. })));
        assert_eq!(pure.spent(), 0.0);
    }
}
