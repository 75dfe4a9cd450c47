//! The daemon's pulse: a timer that both processes have. The daemon sets it anew as long as it lives, the guardian waits
//! for it to fire; so a daemon that is well wakes nobody.

use crate::time::Timestamp;
use rustix::io::{Errno, read};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// However short the intervals, a daemon is not taken for dead before this: on a busy host it is only waiting its turn.
const LEAST: Duration = Duration::from_millis(100);

/// How late the guardian may look: it was starved itself if it comes later, and so was the daemon.
const PUNCTUAL: Duration = Duration::from_millis(100);

/// What the guardian finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pulse {
    /// The daemon lives, or need not show that it does.
    Beating,
    /// It has been silent for too long.
    Stopped,
    /// It seems so; but this host has let nobody run.
    Starved,
}

/// How long a daemon may be silent whose Masters speak at these intervals; `None` where there is none, and it need not
/// speak.
pub(super) fn patience(paces: impl Iterator<Item = Duration>) -> Option<Duration> {
    paces.min().map(|pace| (pace * 3).max(LEAST))
}

/// Makes the timer, which does not run.
pub(super) fn create() -> io::Result<OwnedFd> {
    Ok(timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?)
}

/// The daemon lives at `now`, and means to say so again within `patience`.
pub(super) fn beat(timer: impl AsFd, now: Timestamp, patience: Duration) {
    // A timer that cannot be set is noticed by the guardian as silence.
    set(timer, now.since_origin() + patience);
}

/// The daemon need not show any more that it lives.
pub(super) fn rest(timer: impl AsFd) {
    set(timer, Duration::ZERO);
}

/// Takes the pulse.
pub(super) fn take(timer: impl AsFd) -> Pulse {
    let mut fired = [0; 8];
    match read(timer, &mut fired) {
        Ok(8) if u64::from_ne_bytes(fired) == 1 => Pulse::Stopped,
        Ok(_) => Pulse::Starved,
        Err(Errno::AGAIN | Errno::INTR) => Pulse::Beating,
        Err(_) => Pulse::Stopped,
    }
}

fn set(timer: impl AsFd, at: Duration) {
    let at = timespec(at);
    // It fires on: more than once before the guardian looks, and the guardian is late.
    let spec = Itimerspec { it_interval: timespec(PUNCTUAL), it_value: at };
    let _ = timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &spec);
}

fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(span.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::super::super::clock;
    use super::*;
    use nix::poll::{PollFd, PollFlags, poll};

    fn fires(timer: &OwnedFd, within_ms: u16) -> bool {
        poll(&mut [PollFd::new(timer.as_fd(), PollFlags::POLLIN)], within_ms).expect("a timer can be waited for") == 1
    }

    #[test]
    fn a_daemon_that_beats_wakes_nobody_and_one_that_does_not_is_noticed() {
        let timer = create().expect("a timer");
        assert!(!fires(&timer, 0), "not before the first beat");
        for _ in 0..3 {
            beat(&timer, clock::now(), Duration::from_secs(5));
            assert!(!fires(&timer, 1));
            assert_eq!(take(&timer), Pulse::Beating);
        }
        beat(&timer, clock::now(), Duration::from_millis(1));
        assert!(fires(&timer, 5000));
        assert_eq!(take(&timer), Pulse::Stopped);
    }

    #[test]
    fn a_guardian_that_looks_far_too_late_was_starved_itself() {
        let timer = create().expect("a timer");
        let long_ago = clock::now().since_origin().saturating_sub(PUNCTUAL * 3);
        beat(&timer, Timestamp::from_origin(long_ago), Duration::from_millis(1));
        assert_eq!(take(&timer), Pulse::Starved);
        assert_eq!(take(&timer), Pulse::Beating, "until it fires again");
    }

    #[test]
    fn three_of_the_shortest_intervals_are_waited_for() {
        for (paces, millis) in [(&[1000, 200][..], Some(600)), (&[10], Some(100)), (&[], None)] {
            let paces = paces.iter().copied().map(Duration::from_millis);
            assert_eq!(patience(paces), millis.map(Duration::from_millis));
        }
    }

    #[test]
    fn a_daemon_that_rests_is_not_missed() {
        let timer = create().expect("a timer");
        beat(&timer, clock::now(), Duration::from_millis(1));
        rest(&timer);
        assert!(!fires(&timer, 20));
        beat(&timer, clock::now(), Duration::from_millis(1));
        assert!(fires(&timer, 5000), "it goes on");
    }
}
