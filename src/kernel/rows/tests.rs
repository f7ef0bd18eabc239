//! Every way to solve against Gaussian elimination in `f64`, and every width of lanes against the portable one.

use super::long::long_body;
use super::short::short_body;
use super::steps::steps_body;
use super::sweep::sweep_body;
use super::*;
use crate::kernel::cholesky::tests::eliminate;
use crate::kernel::lanes::Portable;
use crate::kernel::rng::SplitMix64;

struct System {
    dim: usize,
    width: usize,
    rows: Vec<Block>,
    values: Vec<Block>,
    index: Vec<u32>,
    excess: Vec<f32>,
    mean: Option<Vec<Block>>,
}

const BASE: f32 = 0.1;
const RIDGE: f32 = 0.4;

impl System {
    fn random(dim: usize, observed: usize, seed: u64) -> Self {
        let mut rng = SplitMix64::new(seed);
        let width = dim.div_ceil(LANES);
        let mut padded = |rows: usize, scale: f32| {
            let mut blocks = vec![[0.0; LANES]; rows * width];
            for row in blocks.as_flattened_mut().chunks_exact_mut(width * LANES) {
                row[..dim].iter_mut().for_each(|v| *v = rng.normal() * scale);
            }
            blocks
        };
        let (rows, mean) = (padded(50, 0.3), padded(1, 1.0));
        let mut values = padded(1, 2.0);
        values.as_flattened_mut().iter_mut().for_each(|v| *v = v.abs());
        let index = (0..observed).map(|_| (rng.next() % 50) as u32).collect();
        let excess = (0..observed).map(|_| 1.0 + rng.normal().abs()).collect();
        Self { dim, width, rows, values, index, excess, mean: (seed % 2 == 1).then_some(mean) }
    }

    fn shared(&self) -> Shared<'_> {
        Shared { width: self.width, rows: &self.rows, values: &self.values, base: BASE }
    }

    fn own(&self) -> Own<'_> {
        Own { index: &self.index, excess: &self.excess, next: &self.index, ridge: RIDGE, mean: self.mean.as_deref() }
    }

    /// The formed matrix and right side.
    fn formed(&self) -> (Vec<f32>, Vec<f32>) {
        let dim = self.dim;
        let (mut a, mut b) = (vec![0.0f64; dim * dim], vec![0.0f64; dim]);
        for i in 0..dim {
            a[i * dim + i] = f64::from(self.values.as_flattened()[i]) + f64::from(RIDGE);
            b[i] = self.mean.as_ref().map_or(0.0, |mean| f64::from(RIDGE) * f64::from(mean.as_flattened()[i]));
        }
        for (&j, &e) in self.index.iter().zip(&self.excess) {
            let y = self.shared().row(j).as_flattened();
            for i in 0..dim {
                b[i] += f64::from(BASE + e) * f64::from(y[i]);
                (0..dim).for_each(|k| a[i * dim + k] += f64::from(e) * f64::from(y[i]) * f64::from(y[k]));
            }
        }
        (a.iter().map(|&v| v as f32).collect(), b.iter().map(|&v| v as f32).collect())
    }
}

const CASES: [(usize, usize); 14] = [
    (1, 0),
    (1, 1),
    (3, 2),
    (5, 9),
    (16, 16),
    (17, 5),
    (20, 40),
    (33, 17),
    (64, 20),
    (64, 35),
    (64, 64),
    (80, 130),
    (150, 3),
    (150, 70),
];

fn start(system: &System) -> Vec<Block> {
    let mut x = vec![[0.0; LANES]; system.width];
    x.as_flattened_mut()[..system.dim].fill(0.1);
    x
}

#[test]
fn every_way_leads_to_what_elimination_finds() {
    let mut room = Room::default();
    for (case, (dim, observed)) in CASES.into_iter().enumerate() {
        let system = System::random(dim, observed, case as u64);
        let (shared, own) = (system.shared(), system.own());
        let (a, b) = system.formed();
        let slow = eliminate(&a, dim, &b);
        let mut check = |what: &str, solve: &mut dyn FnMut(&mut Room, &mut [Block])| {
            let mut x = start(&system);
            // What another row left behind must not matter.
            [&mut room.scaled, &mut room.matrix, &mut room.terms, &mut room.vectors]
                .into_iter()
                .for_each(|room| room.fill([f32::NAN; LANES]));
            solve(&mut room, &mut x);
            for (fast, slow) in x.as_flattened().iter().zip(slow.iter().chain(std::iter::repeat(&0.0))) {
                let near = (f64::from(*fast) - slow).abs() < 2e-4 * (1.0 + slow.abs());
                assert!(near, "{what}, {dim} x {observed}: {fast} for {slow}");
            }
        };
        check("short", &mut |room, x| short(&shared, &own, room, x));
        check("long", &mut |room, x| long(&shared, &own, room, x));
        check("steps", &mut |room, x| steps(&shared, &own, 2 * dim + 10, room, x));
        check("sweep", &mut |room, x| (0..300).for_each(|_| sweep(&shared, &own, 2, room, x)));
        check("one block", &mut |room, x| sweep(&shared, &own, 64, room, x));
    }
}

#[test]
fn steps_and_sweeps_never_climb() {
    for (case, (dim, observed)) in CASES.into_iter().enumerate() {
        let system = System::random(dim, observed, case as u64);
        let (a, b) = system.formed();
        let objective = |x: &[Block]| -> f64 {
            let x: Vec<f64> = x.as_flattened()[..dim].iter().map(|&v| f64::from(v)).collect();
            let image = |i: usize| (0..dim).map(|k| f64::from(a[i * dim + k]) * x[k]).sum::<f64>();
            (0..dim).map(|i| x[i] * (image(i) / 2.0 - f64::from(b[i]))).sum()
        };
        let (mut x, mut y) = (start(&system), start(&system));
        let (mut by_steps, mut by_sweeps) = (objective(&x), objective(&y));
        let mut room = Room::default();
        for _ in 0..12 {
            steps(&system.shared(), &system.own(), 1, &mut room, &mut x);
            sweep(&system.shared(), &system.own(), 1, &mut room, &mut y);
            for (last, now) in [(&mut by_steps, objective(&x)), (&mut by_sweeps, objective(&y))] {
                assert!(now <= *last + 1e-5 * (1.0 + last.abs()), "{dim} x {observed}: {now} after {last}");
                *last = now;
            }
        }
    }
}

#[test]
fn every_width_gives_the_same_bits() {
    for (case, (dim, observed)) in CASES.into_iter().enumerate() {
        let system = System::random(dim, observed, case as u64);
        let (shared, own) = (system.shared(), system.own());
        type Way<'a> = &'a dyn Fn(&mut Room, &mut [Block]);
        let ways: [(Way<'_>, Way<'_>); 4] = [
            (&|room, x| short(&shared, &own, room, x), &|room, x| short_body::<Portable>(&shared, &own, room, x)),
            (&|room, x| long(&shared, &own, room, x), &|room, x| long_body::<Portable>(&shared, &own, room, x)),
            (&|room, x| steps(&shared, &own, 3, room, x), &|room, x| steps_body::<Portable>(&shared, &own, 3, room, x)),
            (&|room, x| sweep(&shared, &own, 1, room, x), &|room, x| sweep_body::<Portable>(&shared, &own, 1, room, x)),
        ];
        for (way, (fast, slow)) in ways.into_iter().enumerate() {
            let (mut x, mut y) = (start(&system), start(&system));
            fast(&mut Room::default(), &mut x);
            slow(&mut Room::default(), &mut y);
            let same = x.as_flattened().iter().zip(y.as_flattened()).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "way {way}, {dim} x {observed}");
        }
    }
}
