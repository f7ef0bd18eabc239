//! How many instructions the hot paths take: the same on a busy machine, so that a regression cannot hide in the noise.
//!
//! `cargo bench --bench instructions` runs each case under valgrind's callgrind and compares it with its bound in
//! `benches/instructions.txt`: more than three in a hundred above is an error. `-- --write` writes the counts of today as the
//! new bounds; the commit that moves one says why. Counts are of the AVX2 paths, valgrind knowing none wider, and of one
//! compiler, named in the file's first line: by another, nothing is judged. Without valgrind nothing is counted. It says so.

mod common;

mod bench {
    use std::collections::BTreeMap;
    use std::error::Error;
    use std::hint::black_box;
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::Arc;

    use likewise::testing::{ShopParams, SyntheticShop};
    use likewise::*;

    use super::common::Counter;

    type Outcome<T> = Result<T, Box<dyn Error>>;
    type Case = (&'static str, fn() -> Outcome<()>);

    const CASES: [Case; 5] = [
        ("blended_request", blended_request),
        ("factor_request", factor_request),
        ("factor_batch", factor_batch),
        ("session_request", session_request),
        ("fit_als_iteration", fit_als_iteration),
    ];
    /// More than this over the bound is an error.
    const TOLERANCE: f64 = 1.03;

    /// Only what runs in here is counted.
    #[inline(never)]
    fn measured(work: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
        work()
    }

    fn shop(items: u32, events: u64) -> Outcome<Arc<Dataset>> {
        let params = ShopParams { items, users: items / 2, events, ..ShopParams::default() };
        let mut builder = DatasetBuilder::default();
        builder.ingest(&SyntheticShop::new(params.check()?))?;
        Ok(Arc::new(builder.finish()?))
    }

    fn serial() -> Run<'static> {
        Run::new(1).threads(Parallelism::Serial)
    }

    fn alone(data: Arc<Dataset>, scorer: Arc<dyn Scorer>) -> Outcome<Snapshot> {
        let seen = Seen { kinds: KindSet::ALL, again_after: None };
        let ranker = Ranker::builder().scorer_scaled(scorer, 1.0, Normalise::AsIs).filter(seen).candidates(20);
        Ok(Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(ranker.build()?))?)
    }

    /// Six scorers, filters and re-ranks: the request of `single_user`, on 3,000 items.
    fn blended_request() -> Outcome<()> {
        let counter = Counter::open(3_000, 60_000, 50)?;
        let mut ws = Workspace::default();
        counter.with_request(|request| {
            black_box(counter.snapshot.recommend_with(request, &mut ws)?);
            measured(&mut || {
                for _ in 0..10 {
                    black_box(counter.snapshot.recommend_with(request, &mut ws)?);
                }
                Ok(())
            })
        })
    }

    fn each(snapshot: &Snapshot, shoppers: usize, ws: &mut Workspace) -> Outcome<()> {
        let data = snapshot.dataset();
        for user in data.users().take(shoppers) {
            let who = Consented::new(data.user_key(user), LawfulBasis::Contract);
            black_box(snapshot.recommend_with(&Request::profiled(who, data.as_of()).k(20), ws)?);
        }
        Ok(())
    }

    fn factors() -> Outcome<Snapshot> {
        let data = shop(8_000, 80_000)?;
        let als = AlsParams { iterations: 1, ..AlsParams::default() }.check()?.fit_dyn(&(&*data).into(), &serial())?;
        alone(data, als)
    }

    fn factor_request() -> Outcome<()> {
        let (snapshot, mut ws) = (factors()?, Workspace::default());
        each(&snapshot, 2, &mut ws)?;
        measured(&mut || each(&snapshot, 20, &mut ws))
    }

    fn factor_batch() -> Outcome<()> {
        let snapshot = factors()?;
        let data = snapshot.dataset();
        let batch = |shoppers: usize| {
            let id = |user| Consented::new(data.user_key(user), LawfulBasis::Contract);
            let requests = data.users().take(shoppers).map(|user| Request::profiled(id(user), data.as_of()).k(20));
            let done = snapshot.recommend_batch(requests, &serial(), |answer| {
                black_box(answer);
                Flow::Continue
            });
            done.map(|_| ()).map_err(Into::into)
        };
        batch(48)?;
        measured(&mut || batch(240))
    }

    fn session_request() -> Outcome<()> {
        let data = shop(3_000, 60_000)?;
        let vstan = SessionKnnParams::default().check()?.fit_dyn(&(&*data).into(), &serial())?;
        let (snapshot, mut ws) = (alone(data, vstan)?, Workspace::default());
        each(&snapshot, 2, &mut ws)?;
        measured(&mut || each(&snapshot, 20, &mut ws))
    }

    fn fit_als_iteration() -> Outcome<()> {
        let data = shop(1_000, 20_000)?;
        let recipe = AlsParams { iterations: 1, ..AlsParams::default() }.check()?;
        measured(&mut || {
            black_box(recipe.fit(&(&*data).into(), &serial())?);
            Ok(())
        })
    }

    pub(crate) fn run_case(name: &str) -> Outcome<()> {
        let case = CASES.iter().find(|(case, _)| *case == name).ok_or("no such case")?;
        case.1()
    }

    /// The instructions of a case, from callgrind's summary.
    fn count(name: &str) -> Outcome<u64> {
        let out = Command::new("valgrind")
            .args(["--tool=callgrind", "--toggle-collect=*bench*measured*", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args(["--case", name])
            .output()?;
        let text = String::from_utf8_lossy(&out.stderr);
        let counted = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
        match counted.filter(|&n| n > 0 && out.status.success()) {
            Some(counted) => Ok(counted),
            None => Err(format!("{name}: nothing was counted:\n{text}").into()),
        }
    }

    /// Which compiler the bounds are of.
    fn compiler() -> String {
        let said = Command::new("rustc").arg("--version").output().map(|out| out.stdout).unwrap_or_default();
        format!("# {}", String::from_utf8_lossy(&said).trim())
    }

    fn file() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
    }

    pub(crate) fn gate(write: bool) -> Outcome<()> {
        if Command::new("valgrind").arg("--version").output().is_err() {
            println!("valgrind is not installed (apt-get install valgrind): no instructions were counted");
            return Ok(());
        }
        let text = std::fs::read_to_string(file()).unwrap_or_default();
        let bounds: BTreeMap<&str, u64> = text
            .lines()
            .filter_map(|line| line.split_once(' ').and_then(|(n, c)| Some((n, c.trim().parse().ok()?))))
            .collect();
        let compiler = compiler();
        let same = text.lines().next() == Some(&*compiler);
        let (mut lines, mut worse) = (format!("{compiler}\n"), Vec::new());
        for (name, _) in CASES {
            let counted = count(name)?;
            lines += &format!("{name} {counted}\n");
            let Some(&bound) = bounds.get(name) else {
                println!("{name}: {counted} instructions, no bound");
                worse.push(name);
                continue;
            };
            let ratio = counted as f64 / bound as f64;
            println!("{name}: {counted} instructions, {ratio:.3} of the bound");
            if ratio > TOLERANCE {
                worse.push(name);
            }
        }
        if write {
            std::fs::write(file(), lines)?;
        } else if !same {
            println!("the bounds are of another compiler than {compiler}: nothing was judged");
        } else if !worse.is_empty() {
            return Err(format!("over their bounds: {worse:?}; see the top of benches/instructions.rs").into());
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|arg| arg == "--case").and_then(|at| args.get(at + 1)) {
        Some(name) => bench::run_case(name),
        None => bench::gate(args.iter().any(|arg| arg == "--write")),
    }
}
