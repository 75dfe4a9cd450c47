//! Times, spans and hosts as the report writes them.

use crate::sim::NodeId;
use std::collections::BTreeSet;
use std::time::Duration;

/// A moment since the start, to the millisecond.
pub(super) fn moment(at: Duration) -> String {
    format!("{:.3}s", at.as_secs_f64())
}

/// A span; below a millisecond in microseconds, so that a hand-over does not read as nothing.
pub(super) fn span(span: Duration) -> String {
    if span < Duration::from_millis(1) && !span.is_zero() { format!("{}us", span.as_micros()) } else { moment(span) }
}

/// The names of hosts, or `nobody`.
pub(super) fn names(of: &BTreeSet<NodeId>, hosts: &[String]) -> String {
    if of.is_empty() {
        return "nobody".to_owned();
    }
    let names: Vec<&str> = of.iter().filter_map(|host| hosts.get(host.0)).map(String::as_str).collect();
    names.join(" and ")
}
