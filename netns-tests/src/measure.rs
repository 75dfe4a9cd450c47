//! What processes use.

use std::fs;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// Processor time so far, of a set of processes.
#[derive(Debug, Clone)]
pub struct Usage {
    pids: Vec<Pid>,
    busy: Duration,
    taken: Instant,
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Share of one core, in percent.
    pub processor_percent: f64,
    /// Memory now, shared pages divided among those who share them (PSS), in KiB.
    pub memory_kib: f64,
}

impl Usage {
    /// Starts measuring these processes.
    #[must_use]
    pub fn start(pids: Vec<Pid>) -> Self {
        let busy = busy(&pids);
        Self { pids, busy, taken: Instant::now() }
    }

    /// What they have used since.
    #[must_use]
    pub fn finish(&self) -> Used {
        let share = (busy(&self.pids).saturating_sub(self.busy)).as_secs_f64() / self.taken.elapsed().as_secs_f64();
        Used { processor_percent: share * 100.0, memory_kib: self.pids.iter().map(|pid| memory_kib(*pid)).sum() }
    }
}

/// Time on a processor, from the scheduler's own nanoseconds: `/proc/PID/stat` counts the same in steps of 10 ms.
fn busy(pids: &[Pid]) -> Duration {
    let tasks = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let statistics = fs::read_to_string(task.path().join("schedstat")).ok()?;
        statistics.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

fn memory_kib(pid: Pid) -> f64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = maps.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|figure| figure.parse().ok()).unwrap_or(f64::NAN)
}

/// The value in the middle.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The value that `percent` of the values do not exceed (nearest rank); NaN if there are none.
#[must_use]
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!([50, 90, 100].map(|percent| percentile(&values, percent).to_string()), ["10", "18", "20"]);
        assert!(median(&[]).is_nan());
    }
}
