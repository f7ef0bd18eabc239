//! A choice and its reward: 5, 20 and 50 arms, each policy, with 6 numbers of context for the linear ones; evidence of two
//! processes; a page of three slots.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use likewise::decide::content::*;
use likewise::{ItemIdx, Span, Timestamp, Validate};

fn context(n: usize) -> ContentContext {
    ContentContext { segments: vec![format!("s{}", n % 5)], ..ContentContext::default() }
}

/// A bandit after 2,000 choices, every twentieth rewarded, and the same again in another process.
fn taught(policy: Policy, pool: Pool, arms: usize) -> Bandit {
    let features = Features { segments: (0..5).map(|s| format!("s{s}")).collect(), ..Features::default() };
    // Rewards within a minute, as the state would otherwise be mostly choices that wait for theirs.
    let params = BanditParams { policy, pool, features, wait: Span::secs(60), ..BanditParams::default() };
    let arms: Vec<Arm> = (0..arms).map(|n| Arm::new(format!("banner {n}"))).collect();
    let of = |process: &str| {
        let params = params.clone().check().unwrap();
        let mut bandit = Bandit::new(params, arms.clone(), process, Evidence::default()).unwrap();
        for n in 0..2_000 {
            let (id, now) = (n.to_string(), Timestamp::from_secs(n));
            let context = context(n as usize);
            let asked = ContentRequest { id: &id, context: &context, now, seed: 7, fatigue: None };
            let choice = bandit.choose(&asked).unwrap();
            if n % 20 == 0 {
                let _ = bandit.reward(&choice.id, 1.0, now).unwrap();
            }
        }
        bandit
    };
    let mut one = of("one");
    one.merge(of("two").evidence()).unwrap();
    one
}

fn bandit(c: &mut Criterion) {
    let policies = [
        ("epsilon-greedy", Policy::EpsilonGreedy { epsilon: 0.1 }),
        ("thompson shares", Policy::ThompsonBeta),
        ("thompson normal", Policy::ThompsonNormal { deviation: 0.5 }),
        ("linucb", Policy::LinUcb { width: 1.5, noise: 0.5 }),
        ("linear thompson", Policy::LinThompson { noise: 0.5 }),
    ];
    let now = Timestamp::from_secs(2_000);
    for (name, policy) in policies {
        for (pool, pooled) in [(Pool::Slot, ""), (Pool::Apart, ", apart")] {
            for arms in [5, 20, 50] {
                if pool == Pool::Apart && arms != 20 {
                    continue;
                }
                let bandit = taught(policy, pool, arms);
                let context = context(3);
                c.bench_function(&format!("bandit/propensities/{name}, {arms} arms{pooled}"), |b| {
                    b.iter(|| bandit.propensities(black_box(&context), now, None).unwrap());
                });
            }
        }
    }
    let (start, context) = (taught(Policy::ThompsonBeta, Pool::Slot, 20), context(3));
    c.bench_function("bandit/choose and reward/thompson shares, 20 arms", |b| {
        let (mut bandit, mut n) = (start.clone(), 2_000);
        b.iter(|| {
            n += 1;
            let now = Timestamp::from_secs(n);
            let asked = ContentRequest { id: "request", context: &context, now, seed: 7, fatigue: None };
            let choice = bandit.choose(black_box(&asked)).unwrap();
            bandit.reward(&choice.id, 1.0, now).unwrap()
        });
    });
    let other = taught(Policy::LinThompson { noise: 0.5 }, Pool::Slot, 20);
    c.bench_function("bandit/merge/20 arms of 6 numbers, 2 processes", |b| {
        b.iter_batched(
            Evidence::default,
            |mut all| {
                all.merge(other.evidence());
                all
            },
            BatchSize::SmallInput,
        );
    });
    let slots: Vec<Slot> = [1.0, 0.6, 0.3].iter().map(|a| Slot { id: a.to_string(), attention: *a }).collect();
    let rail = |n: u32| Module {
        id: n.to_string(),
        topic: String::new(),
        body: Body::Rail {
            items: (0..12).map(|i| (ItemIdx::new(n * 7 + i), 1.0 / f64::from(i + 1))).collect(),
            show: 8,
            least: 4,
        },
        fresh: 1.0,
    };
    let modules: Vec<Module> = (0..8).map(rail).collect();
    let params = PageParams::default().check().unwrap();
    c.bench_function("bandit/plan_page/3 slots, 8 rails of 12", |b| {
        b.iter(|| plan_page(black_box(&slots), &modules, &params).unwrap());
    });
}

criterion_group!(benches, bandit);
criterion_main!(benches);
