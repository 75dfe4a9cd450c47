//! Which host had the address when, from the kernel's notices.

use std::net::IpAddr;
use std::time::Duration;

use netns_tests::{Notice, Notices, Stamp};

/// The longest time, between `from` and `to`, that both hosts had `address` without a pause. Neither had it when the notices began.
pub(crate) fn longest_overlap(hosts: [&Notices; 2], address: IpAddr, from: Stamp, to: Stamp) -> Duration {
    let mut changes: Vec<(Stamp, usize, bool)> = Vec::new();
    for (host, notices) in hosts.into_iter().enumerate() {
        changes.extend(notices.heard().into_iter().filter_map(|(at, notice)| match notice {
            Notice::Address(which) if which == address => Some((at, host, true)),
            Notice::AddressGone(which) if which == address => Some((at, host, false)),
            _ => None,
        }));
    }
    longest(changes, from, to)
}

fn longest(mut changes: Vec<(Stamp, usize, bool)>, from: Stamp, to: Stamp) -> Duration {
    changes.sort_by_key(|(at, ..)| *at);
    let (mut has, mut both_since, mut longest) = ([false; 2], None, Duration::ZERO);
    for (at, host, now) in changes {
        has[host] = now;
        match (has == [true; 2], both_since) {
            (true, None) => both_since = Some(at),
            (false, Some(since)) => {
                longest = longest.max(at.min(to) - from.max(since));
                both_since = None;
            }
            _ => {}
        }
    }
    longest.max(both_since.map_or(Duration::ZERO, |since| to - from.max(since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_counts() {
        let start = Stamp::now();
        let at = |millis| start + Duration::from_millis(millis);
        let changes = [(10, 0, true), (20, 1, true), (30, 1, true), (50, 0, false), (60, 0, true), (65, 1, false)];
        let changes: Vec<_> = changes.map(|(millis, host, has)| (at(millis), host, has)).into();
        for (from, to, expected) in [(0, 100, 30), (40, 100, 10), (0, 25, 5), (51, 58, 0), (70, 100, 0)] {
            assert_eq!(longest(changes.clone(), at(from), at(to)), Duration::from_millis(expected), "{from} to {to}");
        }
        assert_eq!(longest(changes[..2].to_vec(), at(0), at(100)), Duration::from_millis(80));
    }
}
