//! What a reload changes, in words.

use crate::engine::{Change, GroupPlan};
use crate::vrrp::RouterSpec;

/// One line for each difference.
#[must_use]
pub(super) fn describe(changes: &[Change]) -> Vec<String> {
    changes.iter().flat_map(describe_one).collect()
}

fn describe_one(change: &Change) -> Vec<String> {
    match change {
        Change::Added(spec) => vec![format!("virtual router {} ({}) is added", spec.name, spec.key)],
        Change::Removed(spec) => vec![format!("virtual router {} ({}) is removed", spec.name, spec.key)],
        Change::Amended { from, to } => amended(from, to),
        Change::Group { name, from, to } => group(name, from.as_ref(), to.as_ref()),
        Change::Track { name, from, to } => vec![match (from, to) {
            (None, _) => format!("track {name} is added"),
            (_, None) => format!("track {name} is removed"),
            (Some(from), Some(to)) if from.check != to.check => format!("track {name} looks at something else"),
            _ => format!("track {name} has other times or thresholds"),
        }],
    }
}

fn amended(from: &RouterSpec, to: &RouterSpec) -> Vec<String> {
    let name = &to.name;
    let mut words = Vec::new();
    let mut differs = |differs: bool, what: &str| {
        if differs {
            words.push(format!("virtual router {name}: {what}"));
        }
    };
    for address in to.held().filter(|address| !from.held().any(|held| held == *address)) {
        differs(true, &format!("address {address} is added"));
    }
    for address in from.held().filter(|address| !to.held().any(|held| held == *address)) {
        differs(true, &format!("address {address} is removed"));
    }
    let same_set = from.held().count() == to.held().count() && from.held().all(|a| to.held().any(|b| a == b));
    let moved = from.addresses != to.addresses || from.excluded != to.excluded;
    differs(same_set && moved, "the order of its addresses changes");
    differs(from.name != to.name, &format!("its name was {}", from.name));
    differs(from.version != to.version, "it speaks another version and starts anew");
    differs(from.interval != to.interval, "advert_interval changes");
    differs(from.preempt != to.preempt, "preempt or preempt_delay changes");
    differs(from.routes != to.routes || from.rules != to.rules, "virtual_routes or virtual_rules change");
    differs(from.accept != to.accept, "accept changes");
    differs(from.mac != to.mac, "mac changes");
    differs(from.checksum != to.checksum, "checksum changes");
    differs(from.peers != to.peers || from.check_ttl != to.check_ttl, "unicast_peers or check_ttl changes");
    differs(from.source != to.source, "source_address changes");
    differs(from.auth != to.auth, "authentication changes");
    differs(from.announcing != to.announcing, "garp_repeat, garp_interval or garp_refresh changes");
    differs(from.lease != to.lease, "lease changes");
    differs(from.track_interface != to.track_interface, "track_interface changes");
    words
}

fn group(name: &str, from: Option<&GroupPlan>, to: Option<&GroupPlan>) -> Vec<String> {
    let kind = if from.or(to).is_some_and(|group| group.name.is_some()) { "sync group" } else { "virtual router" };
    let (Some(from), Some(to)) = (from, to) else {
        let what = if from.is_none() { "added" } else { "removed" };
        return vec![format!("{kind} {name} is {what}")];
    };
    let mut words = Vec::new();
    let (was, is) = (&from.candidacy, &to.candidacy);
    if was.priority != is.priority {
        words.push(format!("{kind} {name}: priority changes from {} to {}", was.priority, is.priority));
    }
    if was.track != is.track || was.promote_only_with != is.promote_only_with {
        words.push(format!("{kind} {name}: its tracks or their weights change"));
    }
    if words.is_empty() {
        words.push(format!("{kind} {name}: its members change"));
    }
    words
}
