//! The public tables, rerun. For research: `#[path = "accuracy/protocols/mod.rs"] mod protocols;` in an example of your own.
#![allow(dead_code)]

mod protocols;

use protocols::{ALL, Part, load};

use likewise::evaluate::{Judged, System};
use likewise::{Fit, PopularityParams, Run, Scorer, Validate};

fn main() -> protocols::anyhow_lite::Result<()> {
    let data = std::path::PathBuf::from("../shared/data");
    for (name, _, _) in ALL {
        for part in [Part::Validation, Part::Test] {
            let started = std::time::Instant::now();
            let p = load(name, &data, part)?;
            let popular = PopularityParams::default().check()?.fit(&p.task.training_set(), &Run::new(1))?;
            let lists = p.task.lists(System::Scorer(&popular), p.k, &Run::new(1))?;
            print!(
                "{} {part:?} {} cases, {:?} {:.1}s",
                p.name,
                p.task.cases().len(),
                popular.extent(),
                started.elapsed().as_secs_f32()
            );
            for metric in &p.metrics {
                let (mut sum, mut n) = (0.0, 0);
                for (case, list) in p.task.cases().iter().zip(lists.iter()) {
                    if let Some(v) = metric.of(&Judged { task: &p.task, case, list }) {
                        sum += v;
                        n += 1;
                    }
                }
                print!("  {} {:.4}", metric.name(), sum / f64::from(n));
            }
            println!();
        }
    }
    Ok(())
}
