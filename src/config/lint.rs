//! Warnings: configurations that are taken but probably do not do what was meant. No host is asked here.

use super::candidacy::CandidacyDraft;
use super::diagnostic::Diagnostics;
use super::resolve::Drafts;
use super::router::RouterDraft;
use super::source::Place;
use super::track::TrackDraft;
use crate::engine::Weight;
use crate::units::Priority;
use crate::vrrp::Preempt;
use std::collections::BTreeSet;

pub(super) fn run(drafts: &Drafts, report: &mut Diagnostics) {
    if drafts.routers.is_empty() && !report.has_errors() {
        report.warning(None, "there is no virtual_router, so nothing would run");
    }
    unused_tracks(drafts, report);
    for (place, candidacy, members) in drafts.candidacies() {
        default_priority(place, candidacy, &members, report);
        weights(candidacy, &drafts.tracks, report);
        shared_gateways(candidacy, &drafts.tracks, report);
    }
}

fn unused_tracks(drafts: &Drafts, report: &mut Diagnostics) {
    let candidacies = drafts.routers.iter().map(|router| &router.candidacy);
    let candidacies = candidacies.chain(drafts.groups.iter().map(|group| &group.candidacy));
    let used: BTreeSet<_> = candidacies.flat_map(CandidacyDraft::names).map(|at| &at.value).collect();
    for track in drafts.tracks.iter().filter(|track| !used.contains(&track.name)) {
        report
            .lacking(track.place, format!("track {} is used by no router or group, so it does not run", track.name))
            .help(format!("add it to one of them: track = {{ {} = \"required\" }}", track.name));
    }
}

/// Both hosts of a pair are often made from one file: without a priority of its own, neither is preferred.
fn default_priority(place: Place, candidacy: &CandidacyDraft, members: &[&RouterDraft], report: &mut Diagnostics) {
    let preempts = |router: &&RouterDraft| router.spec.as_ref().is_some_and(|spec| spec.preempt != Preempt::Never);
    if candidacy.priority.is_none() && members.iter().any(preempts) {
        report.lacking(place, "no priority is set, so it is 100, as on every other host that sets none").help(
            "with equal priorities the higher address wins: set a different priority on each host, such as 100 and 99",
        );
    }
}

fn weights(candidacy: &CandidacyDraft, tracks: &[TrackDraft], report: &mut Diagnostics) {
    let mut bonus = i32::from(candidacy.priority().get());
    for attachment in &candidacy.track {
        let Weight::Adjust { by, .. } = attachment.weight else { continue };
        let is_number = tracks.iter().any(|track| track.name == attachment.track.value && track.kind == Some("file"));
        bonus += i32::from(by.max(0));
        if candidacy.priority().is_owner() {
            report
                .warning(attachment.place, "a weight does not move the priority of an owner, 255")
                .help("set a priority of 254 or less, or make the track \"required\"");
        } else if by.abs() == 1 && !is_number {
            report
                .warning(
                    attachment.place,
                    format!("a weight of {by} can at most make equal priorities of neighbouring ones"),
                )
                .help(
                    "it has to be greater than the difference between the hosts' priorities: at least 2 for 100 and 99",
                );
        }
    }
    let moved =
        candidacy.track.iter().rev().find(|attachment| matches!(attachment.weight, Weight::Adjust { by: 1.., .. }));
    if let Some(last) = moved.filter(|_| bonus > 254 && candidacy.priority() != Priority::OWNER) {
        report
            .warning(last.place, format!("with every track healthy the priority would be {bonus}, and it stops at 254"))
            .help("two hosts that both stop there are equal: set a lower priority or smaller weights");
    }
}

/// A gateway that answers neither host would take the service away from both.
fn shared_gateways(candidacy: &CandidacyDraft, tracks: &[TrackDraft], report: &mut Diagnostics) {
    for attachment in &candidacy.track {
        let Weight::Required { reverse: false } = attachment.weight else { continue };
        let name = &attachment.track.value;
        if tracks.iter().any(|track| track.name == *name && matches!(track.kind, Some("ping" | "arp"))) {
            report
                .warning(
                    attachment.place,
                    format!("when {name} answers neither host, both go to FAULT and nobody holds the addresses"),
                )
                .help(format!("give it a weight ({name} = -20), or write promote_only_with = [\"{name}\"]"));
        }
    }
}
