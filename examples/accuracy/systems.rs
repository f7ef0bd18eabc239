//! What is measured: models and blends from the parameter file or the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use likewise::evaluate::Task;
use likewise::recipe::BlendRecipe;
use likewise::{Fit, HistoryView, Run, Scorer};
use serde::{Deserialize, Serialize};

use super::protocols::outcome::Result;

/// A system with where it comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) system: BlendRecipe,
    /// The figures on the validation cut by which it was chosen.
    #[serde(default)]
    pub(crate) validation: BTreeMap<String, f64>,
    /// How many settings were tried there.
    #[serde(default)]
    pub(crate) trials: u32,
    /// The peer's figures on the test part.
    #[serde(default)]
    pub(crate) peer: BTreeMap<String, f64>,
    /// Anything a reader should know.
    #[serde(default)]
    pub(crate) note: String,
}

impl Entry {
    /// A system from the command line, as a blend's recipe is written.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(Self {
            name: text.to_owned(),
            system: text.parse()?,
            validation: BTreeMap::new(),
            trials: 0,
            peer: BTreeMap::new(),
            note: String::new(),
        })
    }

    /// Fits the system on the task's training data: one model as it is, several as one blended scorer.
    pub(crate) fn fit(&self, task: &Task, run: &Run<'_>) -> Result<Arc<dyn Scorer>> {
        Ok(match &self.system.parts[..] {
            [alone] if alone.view == HistoryView::default() => {
                alone.recipe().build()?.fit_dyn(&task.training_set(), run)?
            }
            _ => Arc::new(self.system.build()?.fit(&task.training_set(), run)?),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// How the parameters were chosen.
    #[allow(dead_code)]
    about: String,
    chosen: BTreeMap<String, Vec<Entry>>,
    peers: BTreeMap<String, Vec<Entry>>,
}

fn file() -> Result<File> {
    let path = super::parameters();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?)
}

/// The systems chosen on the validation cut of a protocol.
pub(crate) fn chosen(protocol: &str) -> Result<Vec<Entry>> {
    Ok(file()?.chosen.remove(protocol).unwrap_or_default())
}

/// The peers' models at the peers' parameters.
pub(crate) fn peers(protocol: &str) -> Result<Vec<Entry>> {
    Ok(file()?.peers.remove(protocol).unwrap_or_default())
}

/// A list of systems in a file of their own.
pub(crate) fn read(path: &std::path::Path) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?)
}
