//! From the drafts of all tables to the plan: what has to hold between tables.

use super::candidacy::CandidacyDraft;
use super::daemon::DaemonDraft;
use super::diagnostic::Diagnostics;
use super::group::GroupDraft;
use super::router::RouterDraft;
use super::script::ScriptUse;
use super::source::Place;
use super::track::TrackDraft;
use crate::engine::{Check, GroupPlan, Plan, TrackerSpec};
use crate::ids::{InterfaceName, RouterKey};
use crate::units::Priority;
use crate::vrrp::RouterSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The owner of addresses takes packets to them, whatever stands there (RFC 9568, 6.4.3).
fn as_owner(spec: Arc<RouterSpec>, priority: Priority) -> Arc<RouterSpec> {
    if priority == Priority::OWNER && !spec.accept {
        return Arc::new(RouterSpec { accept: true, ..RouterSpec::clone(&spec) });
    }
    spec
}

/// Everything that was read.
pub(super) struct Drafts {
    pub daemon: DaemonDraft,
    pub tracks: Vec<TrackDraft>,
    pub routers: Vec<RouterDraft>,
    pub groups: Vec<GroupDraft>,
    pub hook_scripts: Vec<ScriptUse>,
}

impl Drafts {
    /// Every program that the daemon would run.
    pub(super) fn scripts(&self) -> impl Iterator<Item = &ScriptUse> {
        self.tracks.iter().filter_map(|track| track.script.as_ref()).chain(&self.hook_scripts)
    }

    /// Each candidacy with where its owner is defined and its members' routers: groups first, then lone routers.
    pub(super) fn candidacies(&self) -> impl Iterator<Item = (Place, &CandidacyDraft, Vec<&RouterDraft>)> {
        let groups = self.groups.iter().map(|group| (group.place, &group.candidacy, self.members(group)));
        let lone = self.lone().map(|router| (router.place, &router.candidacy, vec![router]));
        groups.chain(lone)
    }

    fn members(&self, group: &GroupDraft) -> Vec<&RouterDraft> {
        let find = |name: &Arc<str>| self.routers.iter().find(|router| router.name == *name);
        group.members.iter().filter_map(|member| find(&member.value)).collect()
    }

    /// Routers in no sync group.
    fn lone(&self) -> impl Iterator<Item = &RouterDraft> {
        let grouped: BTreeSet<&Arc<str>> =
            self.groups.iter().flat_map(|group| &group.members).map(|member| &member.value).collect();
        self.routers.iter().filter(move |router| !grouped.contains(&router.name))
    }

    /// The plan, of what is complete.
    pub(super) fn plan(&self) -> Plan {
        let group = |name: Option<Arc<str>>, candidacy: &CandidacyDraft, members: &[&RouterDraft]| {
            let candidacy = candidacy.resolve();
            let specs = members.iter().filter_map(|router| router.spec.clone());
            let members = specs.map(|spec| as_owner(spec, candidacy.priority)).collect();
            GroupPlan { name, candidacy, members }
        };
        let groups = self.groups.iter().map(|g| group(Some(g.name.clone()), &g.candidacy, &self.members(g)));
        let lone = self.lone().map(|router| group(None, &router.candidacy, &[router]));
        Plan {
            groups: groups.chain(lone).filter(|group| !group.members.is_empty()).collect(),
            trackers: self.trackers(),
            startup_delay: self.daemon.settings.startup_delay,
        }
    }

    /// The tracks that somebody uses, by name.
    fn trackers(&self) -> Vec<Arc<TrackerSpec>> {
        let mut users: BTreeMap<&Arc<str>, Option<&InterfaceName>> = BTreeMap::new();
        for (_, candidacy, members) in self.candidacies() {
            let interface = members.iter().find_map(|router| router.interface.as_ref()).map(|at| &at.value);
            for name in candidacy.names() {
                let known = users.entry(&name.value).or_default();
                *known = known.or(interface);
            }
        }
        let mut trackers: Vec<Arc<TrackerSpec>> = Vec::new();
        for track in &self.tracks {
            let (Some(spec), Some(interface)) = (&track.spec, users.get(&track.name)) else { continue };
            let mut spec = spec.clone();
            if let (true, Check::Arp { interface: asks, .. }, Some(of_router)) =
                (track.borrows_interface, &mut spec.check, interface)
            {
                *asks = (*of_router).clone();
            }
            trackers.push(Arc::new(spec));
        }
        trackers.sort_by(|a, b| a.name.cmp(&b.name));
        trackers
    }
}

/// Two routers with one identity on the wire, or with one address on one interface.
pub(super) fn check_identities(routers: &[RouterDraft], report: &mut Diagnostics) {
    let mut keys: BTreeMap<&RouterKey, &RouterDraft> = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for router in routers {
        let Some(spec) = &router.spec else { continue };
        if let Some(first) = keys.get(&spec.key) {
            let place = router.vrid.as_ref().map_or(router.place, |at| at.place);
            let first_place = first.vrid.as_ref().map_or(first.place, |at| at.place);
            let RouterKey { interface, family, vrid } = &spec.key;
            report
                .error(place, format!("virtual_router_id {vrid} is taken on {interface} for {family} by {}", first.name))
                .note(first_place, "it is first used here")
                .help("interface, family and virtual_router_id together are a router's identity: choose another id, 1 to 255");
        } else {
            keys.insert(&spec.key, router);
        }
        for address in router.addresses.iter().chain(&router.excluded) {
            let holder = (&spec.key.interface, address.value.ip);
            let (first, place) = *addresses.entry(holder).or_insert((router, address.place));
            if first.name != router.name {
                report
                    .error(address.place, format!("{} is an address of {} too", address.value.ip, first.name))
                    .note(place, "it is first listed here")
                    .help("an address follows one router: remove one of the two");
            }
        }
    }
}
