//! What is measured: models and blends from the parameter file or the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use likewise::evaluate::Task;
use likewise::recipe::{BlendRecipe, ModelRecipe};
use likewise::{BlendPart, Blended, Focus, HistoryView, PartScale, PartShare, Run, Scorer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::protocols::anyhow_lite::Result;

/// A system with where it comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) system: Spec,
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
    /// A system from the command line: `NAME[:KEY=VALUE,..][*WEIGHT] + ..`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let blend: BlendRecipe = text.parse()?;
        let part = |p: likewise::recipe::RecipePart| Part {
            model: p.model,
            params: p.params,
            weight: p.weight,
            scale: PartScale::default(),
            share: PartShare::default(),
            view: None,
        };
        let system = Spec { parts: blend.parts.into_iter().map(part).collect(), pool: pool() };
        Ok(Self {
            name: text.to_owned(),
            system,
            validation: BTreeMap::new(),
            trials: 0,
            peer: BTreeMap::new(),
            note: String::new(),
        })
    }
}

/// One model, or several with weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) parts: Vec<Part>,
    /// How many proposals of each part are blended.
    #[serde(default = "pool")]
    pub(crate) pool: usize,
}

fn pool() -> usize {
    200
}

fn one() -> f32 {
    1.0
}

/// One model of a system.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) model: String,
    #[serde(default)]
    pub(crate) params: Map<String, Value>,
    #[serde(default = "one")]
    pub(crate) weight: f32,
    #[serde(default)]
    pub(crate) scale: PartScale,
    #[serde(default)]
    pub(crate) share: PartShare,
    /// What it sees of the history; all if not said.
    #[serde(default)]
    pub(crate) view: Option<HistoryView>,
}

impl Part {
    /// Fits the part on the task's training data.
    pub(crate) fn fit(&self, task: &Task, run: &Run<'_>) -> Result<BlendPart> {
        let recipe = ModelRecipe { model: self.model.clone(), params: self.params.clone() };
        let mut scorer = recipe.build()?.fit_dyn(&task.training_set(), run)?;
        if let Some(view) = self.view {
            scorer = Arc::new(Focus::on(view, scorer));
        }
        Ok(BlendPart::new(scorer, self.weight).scale(self.scale).share(self.share))
    }
}

impl Spec {
    /// Fits every part on the task's training data; several become one blended scorer.
    pub(crate) fn fit(&self, task: &Task, run: &Run<'_>) -> Result<Arc<dyn Scorer>> {
        let parts = self.parts.iter().map(|part| part.fit(task, run)).collect::<Result<Vec<_>>>()?;
        match <[BlendPart; 1]>::try_from(parts) {
            Ok([alone]) => Ok(alone.scorer),
            Err(parts) => Ok(Arc::new(Blended::new("blend", parts)?.pool(self.pool)?)),
        }
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
