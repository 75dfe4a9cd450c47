//! `[sync_group.NAME]`: its keys, and who is in which group.

use super::candidacy::CandidacyDraft;
use super::diagnostic::Diagnostics;
use super::keys::SYNC_GROUP;
use super::reader::{At, Fields, nearest};
use super::router::RouterDraft;
use super::source::Place;
use super::track::TrackDraft;
use super::tree::Entry;
use std::sync::Arc;

/// One group as its table tells.
pub(super) struct GroupDraft {
    pub name: Arc<str>,
    pub place: Place,
    pub members: Vec<At<Arc<str>>>,
    pub candidacy: CandidacyDraft,
}

pub(super) fn read(entry: &Entry, tracks: &[TrackDraft], report: &mut Diagnostics) -> Option<GroupDraft> {
    let fields = Fields::of(entry, &SYNC_GROUP, report)?;
    let members: Option<At<Vec<At<Arc<str>>>>> = fields.require("members", report);
    if let Some(at) = members.as_ref().filter(|at| at.value.is_empty()) {
        report
            .error(at.place, "a sync group has at least one member")
            .help("name virtual routers, or remove the group");
    }
    Some(GroupDraft {
        name: entry.key.as_str().into(),
        place: entry.key_place,
        members: members.map_or_else(Vec::new, |at| at.value),
        candidacy: CandidacyDraft::read(&fields, tracks, report),
    })
}

/// Members that do not exist, that are in two groups, or that set what is the group's.
pub(super) fn check_members(groups: &[GroupDraft], routers: &[RouterDraft], report: &mut Diagnostics) {
    let mut seen: Vec<(&At<Arc<str>>, &GroupDraft)> = Vec::new();
    for group in groups {
        for member in &group.members {
            match routers.iter().find(|router| router.name == member.value) {
                None => unknown(member, routers, report),
                Some(router) => leaves_candidacy(router, group, report),
            }
            if let Some((first, other)) = seen.iter().find(|(first, _)| first.value == member.value) {
                let message = if other.name == group.name {
                    format!("{} is listed twice", member.value)
                } else {
                    format!("{} is in two groups, {} and {}", member.value, other.name, group.name)
                };
                report
                    .error(member.place, message)
                    .note(first.place, "it is first listed here")
                    .help("remove one of the two");
            }
            seen.push((member, group));
        }
    }
}

fn unknown(member: &At<Arc<str>>, routers: &[RouterDraft], report: &mut Diagnostics) {
    let near = nearest(&member.value, routers.iter().map(|router| &*router.name));
    let help = near.map_or_else(
        || format!("define it: [virtual_router.{}]", member.value),
        |near| format!("did you mean {near}?"),
    );
    report.missing(member.place, format!("there is no virtual router {}", member.value)).help(help);
}

fn leaves_candidacy(router: &RouterDraft, group: &GroupDraft, report: &mut Diagnostics) {
    for (key, place) in &router.candidacy_keys {
        report
            .error(*place, format!("{} is in sync group {}, so {key} is the group's", router.name, group.name))
            .note(group.place, "the group is defined here")
            .help(format!("move {key} to [sync_group.{}]: its members stand and fall together", group.name));
    }
}
