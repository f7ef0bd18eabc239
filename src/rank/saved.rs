//! What of a ranker is in a file: everything but filters and re-ranks, which are code.

use super::ranker::{Ranker, RankerBuilder};
use crate::persist::{Loader, PersistError, Saver};
use crate::scorer::Codecs;

impl Ranker {
    pub(crate) fn save(&self, out: &mut Saver<'_>, codecs: &Codecs) -> Result<(), PersistError> {
        out.value("scorers", &self.scorers.len())?;
        for (place, (scorer, weighted)) in self.scorers.iter().zip(&self.weights).enumerate() {
            let mut out = out.at("scorers");
            let mut out = out.at(place);
            out.part("weight", &weighted.weight)?;
            out.value("normalise", &weighted.normalise)?;
            codecs.save(&**scorer, &mut out)?;
        }
        out.value("fallbacks", &self.fallbacks.len())?;
        for (place, scorer) in self.fallbacks.iter().enumerate() {
            codecs.save(&**scorer, &mut out.at("fallbacks").at(place))?;
        }
        out.value("blend", &self.blend)?;
        out.value("only", &self.only)?;
        out.value("preferences", &self.preferences)?;
        out.value("rules", &self.rules)?;
        out.value("candidates", &self.candidates)?;
        out.value("history", &self.history)?;
        out.value("filters", &self.filter_names())?;
        out.value("reranks", &self.reranks.len())
    }

    /// All that is data; filters and re-ranks are to be added.
    pub(crate) fn load(from: &Loader<'_>, codecs: &Codecs) -> Result<RankerBuilder, PersistError> {
        let mut ranker = Self::builder();
        for place in 0..from.value::<usize>("scorers")? {
            let from = from.at("scorers").at(place);
            let (scorer, weight) = (codecs.load(&from)?, from.part("weight")?);
            ranker = match from.value("normalise")? {
                Some(how) => ranker.scorer_scaled(scorer, weight, how),
                None => ranker.scorer(scorer, weight),
            };
        }
        for place in 0..from.value::<usize>("fallbacks")? {
            ranker = ranker.fallback(codecs.load(&from.at("fallbacks").at(place))?);
        }
        ranker = ranker.blend(from.value("blend")?);
        ranker = ranker.candidates(from.value("candidates")?).history(from.value("history")?);
        ranker = from.value::<Vec<_>>("only")?.into_iter().fold(ranker, RankerBuilder::only);
        let preferences: Vec<_> = from.value("preferences")?;
        ranker = preferences.into_iter().fold(ranker, |ranker, (what, weight)| ranker.prefer(what, weight));
        Ok(from.value::<Vec<_>>("rules")?.into_iter().fold(ranker, RankerBuilder::rule))
    }

    /// That code gave again what was code when the file was written.
    pub(crate) fn check_code(&self, from: &Loader<'_>) -> Result<(), PersistError> {
        let hint = "give read_from the filters and re-ranks the ranker was built with, or write the snapshot anew";
        let compare = |what, saved: String, now: String| {
            if saved == now { Ok(()) } else { Err(PersistError::Recipe { what, saved, now, hint }) }
        };
        let filters: Vec<String> = from.value("filters")?;
        compare("the filters", format!("{filters:?}"), format!("{:?}", self.filter_names()))?;
        let reranks: usize = from.value("reranks")?;
        compare("the re-ranks", reranks.to_string(), self.reranks.len().to_string())
    }

    fn filter_names(&self) -> Vec<&str> {
        self.filters.iter().map(|filter| filter.name()).collect()
    }
}
