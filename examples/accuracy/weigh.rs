//! Finding the weights of a blend on the validation cut.

use std::sync::Arc;

use likewise::recipe::RecipePart;
use likewise::tune::{Aim, Columns};
use likewise::{BlendPart, Blended, Focus, PartScale, Run, Scorer};

use super::protocols::Protocol;
use super::protocols::outcome::Result;
use super::systems::Entry;

/// About so many cases are asked, evenly spread.
const CASES: usize = 3000;

/// Prints, for every system and way of scaling, the best weights and what they reach.
pub(crate) fn weigh(protocol: &Protocol, entries: &[Entry]) -> Result<()> {
    let run = Run::new(1);
    let step = protocol.task.cases().len().div_ceil(CASES).max(1);
    let task = &protocol.task.with_cases(protocol.task.cases().iter().step_by(step).cloned().collect())?;
    for entry in entries {
        let fit = |part: &RecipePart| -> Result<Arc<dyn Scorer>> {
            let scorer = part.recipe().build()?.fit_dyn(&task.training_set(), &run)?;
            Ok(Arc::new(Focus::on(part.view, scorer)))
        };
        let fitted = entry.system.parts.iter().map(fit).collect::<Result<Vec<_>>>()?;
        let scales = [PartScale::Best, PartScale::Log { floor: 0.01 }];
        for scale in scales {
            let alone = |(part, scorer): (&RecipePart, &Arc<dyn Scorer>)| -> Result<Blended> {
                let part = BlendPart::new(scorer.clone(), 1.0).scale(scale).share(part.share);
                Ok(Blended::new("part", [part])?.pool(entry.system.pool)?)
            };
            let scaled = entry.system.parts.iter().zip(&fitted).map(alone).collect::<Result<Vec<_>>>()?;
            let parts: Vec<&dyn Scorer> = scaled.iter().map(|part| part as &dyn Scorer).collect();
            let columns = Columns::of(task, &parts, entry.system.pool.min(100), &run)?;
            let tuned = columns.tune(&aim(protocol), 300, &run);
            println!("{} {} {scale:?}: {tuned:?}", protocol.name, entry.name);
        }
    }
    Ok(())
}

fn aim(protocol: &Protocol) -> Aim {
    match protocol.name {
        "F" => Aim { recall: 1.0, ..Aim::ndcg(10) },
        "A" | "C1" | "C2" => Aim { recall: 1.0, ..Aim::ndcg(20) },
        "B" | "B-all" => Aim { hit_rate: 0.5, ..Aim::ndcg(10) },
        "D" => Aim { hit_rate: 0.5, ..Aim::ndcg(20) },
        _ => Aim { ndcg: 0.0, hit_rate: 0.5, mrr: 1.0, ..Aim::ndcg(20) },
    }
}
