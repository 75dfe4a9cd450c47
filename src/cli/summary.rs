//! A configuration on one screen: what would run.

use crate::config::{HookPlan, Loaded};
use crate::engine::{Candidacy, GroupPlan, TrackerSpec, Weight};
use crate::vrrp::RouterSpec;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Displayed, it is the summary.
pub(super) struct Summary<'a> {
    pub path: &'a Path,
    pub loaded: &'a Loaded,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loaded { plan, hooks, .. } = self.loaded;
        let routers: Vec<(&GroupPlan, &RouterSpec)> =
            plan.groups.iter().flat_map(|group| group.members.iter().map(move |router| (group, &**router))).collect();
        let named: Vec<&GroupPlan> = plan.groups.iter().filter(|group| group.name.is_some()).collect();
        writeln!(
            f,
            "{}: good: {}, {}, {}, {}",
            self.path.display(),
            counted(routers.len(), "virtual router"),
            counted(named.len(), "sync group"),
            counted(plan.trackers.len(), "track"),
            counted(hook_count(hooks), "hook"),
        )?;
        let header = ["VIRTUAL ROUTER", "INTERFACE", "VRID", "VERSION", "PRIORITY", "INTERVAL", "ADDRESSES", "TRACKS"];
        table(f, &header, routers.iter().map(|(group, router)| router_row(group, router)).collect())?;
        table(
            f,
            &["SYNC GROUP", "PRIORITY", "MEMBERS", "TRACKS"],
            named.iter().map(|group| group_row(group)).collect(),
        )?;
        let header = ["TRACK", "KIND", "INTERVAL", "TIMEOUT", "FALL", "RISE"];
        table(f, &header, plan.trackers.iter().map(|track| track_row(track)).collect())
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn hook_count(hooks: &HookPlan) -> usize {
    let sets = std::iter::once(&hooks.all).chain(hooks.routers.values()).chain(hooks.groups.values());
    sets.flat_map(|set| [&set.on_master, &set.on_backup, &set.on_fault, &set.on_stop, &set.on_change]).flatten().count()
}

fn router_row(group: &GroupPlan, router: &RouterSpec) -> Vec<String> {
    let of_group = |text: String| group.name.as_ref().map_or(text, |name| format!("({name})"));
    vec![
        router.name.to_string(),
        router.key.interface.to_string(),
        router.key.vrid.to_string(),
        router.version.number().to_string(),
        of_group(group.candidacy.priority.to_string()),
        span(router.interval.duration()),
        router.held().map(|address| address.to_string()).collect::<Vec<_>>().join(" "),
        of_group(tracks(&group.candidacy)),
    ]
}

fn group_row(group: &GroupPlan) -> Vec<String> {
    vec![
        group.name.as_deref().unwrap_or_default().to_owned(),
        group.candidacy.priority.to_string(),
        group.members.iter().map(|router| &*router.name).collect::<Vec<_>>().join(" "),
        tracks(&group.candidacy),
    ]
}

fn track_row(track: &TrackerSpec) -> Vec<String> {
    let polled = |text: String| if track.check.is_polled() { text } else { "-".to_owned() };
    vec![
        track.name.to_string(),
        track.check.kind().to_owned(),
        polled(span(track.interval)),
        polled(span(track.timeout)),
        polled(track.fall.to_string()),
        polled(track.rise.to_string()),
    ]
}

/// `nginx required, gateway -20, only with gateway`.
fn tracks(candidacy: &Candidacy) -> String {
    let attached = candidacy.track.iter().map(|attachment| {
        let (weight, reverse) = match attachment.weight {
            Weight::Required { reverse } => ("required".to_owned(), reverse),
            Weight::Adjust { by, reverse } => (format!("{by:+}"), reverse),
        };
        format!("{} {weight}{}", attachment.track, if reverse { " reversed" } else { "" })
    });
    let needed = candidacy.promote_only_with.iter().map(|track| format!("only with {track}"));
    let all: Vec<String> = attached.chain(needed).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

fn span(duration: Duration) -> String {
    format!("{duration:?}")
}

/// Columns as wide as they need to be; nothing for no rows.
fn table(f: &mut fmt::Formatter<'_>, header: &[&str], rows: Vec<Vec<String>>) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut lines = vec![header.iter().map(ToString::to_string).collect::<Vec<_>>()];
    lines.extend(rows);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    writeln!(f)?;
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(f, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
