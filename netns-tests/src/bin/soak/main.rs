//! Random faults on a pair, each repaired, with what must hold in between checked from outside: by a capture, and by the
//! kernel's notices on both hosts. The seed replays the faults, though not the microseconds between them.

mod draw;
mod fault;
mod watch;
mod world;

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use draw::Draw;
use fault::Fault;
use netns_tests::Stamp;
use world::World;

/// Two hosts that share addresses, and everything that can happen to them.
#[derive(Parser)]
struct Options {
    /// For how long, before both daemons are stopped and what is left is looked at.
    #[arg(long, default_value_t = 180)]
    seconds: u64,
    /// Which faults; another one each time if it is not given.
    #[arg(long)]
    seed: Option<u64>,
}

/// Two hosts that hear each other must not both have the address for longer; the machine may be busy.
const BOTH: Duration = Duration::from_millis(150);
/// After a partition, or once the daemon of a host that had none runs: until they have heard each other.
const TO_HEAR: Duration = Duration::from_millis(500);
/// What a fault may last, in milliseconds.
const SHORTEST: u64 = 50;
const LONGEST: u64 = 1_500;

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(some_seed);
    println!("soak: {} seconds with --seed {seed}", options.seconds);
    let (mut world, mut draw) = (World::new(), Draw::new(seed));
    let begun = Instant::now();
    let (mut faults, mut violations) = (0, Vec::new());
    while begun.elapsed() < Duration::from_secs(options.seconds) {
        let step = Step::draw(&mut draw);
        let at = begun.elapsed().as_secs_f64();
        let result = step.run(&mut world);
        let outcome = match &result {
            Ok(took) => format!("one Master after {} ms", took.as_millis()),
            Err(violation) => format!("VIOLATION: {violation}"),
        };
        println!("{at:>8.2} s  {step}: {outcome}");
        faults += step.0.len();
        if let Err(violation) = result {
            violations.push(format!("{at:.2} s, {step}: {violation}"));
            world.report();
            world.start_anew();
        }
    }
    violations.extend(world.stop());
    println!("{faults} faults with --seed {seed}, {} violations", violations.len());
    violations.iter().for_each(|violation| println!("  {violation}"));
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn some_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// One fault, or one on each host, each so long after what came before it; they are repaired in their order.
struct Step(Vec<(Fault, usize, Duration)>);

impl Step {
    fn draw(draw: &mut Draw) -> Self {
        let host = draw.one_of(&[1, 2]);
        let mut step = vec![(Fault::draw(draw), host, Duration::from_millis(draw.between(SHORTEST, LONGEST)))];
        if draw.below(3) == 0 {
            let gap = Duration::from_millis(draw.below(300));
            step[0].2 = gap;
            step.push((Fault::draw(draw), 3 - host, Duration::from_millis(draw.between(SHORTEST, LONGEST))));
        }
        Self(step)
    }

    /// How long it took, from the last repair, until host 1 was the only Master again; or what was wrong.
    fn run(&self, world: &mut World) -> Result<Duration, String> {
        let start = Stamp::now();
        for (fault, host, pause) in &self.0 {
            fault.inject(world, *host);
            sleep(*pause);
        }
        let deaf = self.0.iter().any(|(fault, ..)| fault.deafens());
        for (fault, host, _) in &self.0 {
            fault.repair(world, *host);
        }
        let repaired = Stamp::now();
        let bound = self.0.iter().map(|(fault, ..)| fault.bound()).max().unwrap_or_default();
        let took = world.settle(bound)?;
        // Where they could not hear each other only what came after counts.
        let from = if deaf { repaired + TO_HEAR } else { start };
        let both = world.held_by_both(from, Stamp::now());
        if both > BOTH { Err(format!("both hosts had the address for {both:?}")) } else { Ok(took) }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (fault, host, pause)) in self.0.iter().enumerate() {
            let then = if index == 0 { "" } else { ", then " };
            write!(f, "{then}h{host} {fault} ({} ms)", pause.as_millis())?;
        }
        Ok(())
    }
}
