//! Items nobody has touched, ranked for the shoppers who will take them: a tenth of amazon-beauty's, hidden.

use std::path::Path;

use likewise::recipe::ModelRecipe;
use likewise::{Run, Scorer};

use super::protocols::new_items::{Figures, NewItems};
use super::protocols::outcome::Result;

/// Prints how content and attribute-aware models rank the hidden items, beside the popularity of their kind and chance.
pub(crate) fn print(data: &Path) -> Result<()> {
    let task = NewItems::load(&data.join("amazon-beauty"))?;
    let (hidden, takers) = (task.hidden.len(), task.takers.len());
    println!("\nnew-items (amazon-beauty): {hidden} items hidden, ranked for the {takers} shoppers who took them");
    println!("{:<34} {:>10} {:>10}", "system", "hr@10", "ndcg@10");
    let show = |name: &str, f: Figures| println!("{name:<34} {:>10.4} {:>10.4}", f.hr10, f.ndcg10);
    show("chance", task.judge_random());
    show("popularity of the item's kinds", task.judge_popularity_of_kind());
    for text in ["content", "affinity", "hybrid:als={\"factors\":128}"] {
        let recipe: ModelRecipe = text.parse()?;
        let scorer = recipe.build()?.fit_dyn(&task.training_set(), &Run::new(1))?;
        let scorer: &dyn Scorer = &*scorer;
        show(text, task.judge(scorer));
    }
    Ok(())
}
