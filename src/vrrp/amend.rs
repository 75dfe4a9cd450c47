//! A reload changes a router in place: timers run on, and only what changed is done.

use super::effects::Effects;
use super::router::{Router, State};
use super::spec::RouterSpec;
use crate::units::{Version, VirtualAddress};
use std::sync::Arc;

impl Router {
    /// Takes over a changed configuration of the same identity and version.
    pub fn amend(&mut self, spec: &Arc<RouterSpec>, group: Option<Arc<str>>, out: &mut Effects<'_>) {
        self.group = group;
        if self.spec == *spec {
            return;
        }
        let was = std::mem::replace(&mut self.spec, Arc::clone(spec));
        let other_interval = was.interval != spec.interval;
        if other_interval {
            self.take_interval(out);
        }
        if self.holding {
            self.amend_held(&was, out);
        }
        if self.holding && (&was.routes, &was.rules) != (&spec.routes, &spec.rules) {
            // The specification that comes with it says what is held besides addresses.
            self.hold_these(Arc::new([]), out);
        }
        let is_master = matches!(self.state, State::Master { .. });
        // Backups time out by the interval last heard: they learn of a longer one before it has passed.
        if is_master && (other_interval || !was.advertised().eq(spec.advertised())) {
            self.advertise(out);
        }
    }

    /// A Master's interval that was learned stays: the Master's own configuration has not changed with ours. Whoever
    /// waits by the own one begins anew, lest a shorter one look like a wait that was overslept.
    fn take_interval(&mut self, out: &mut Effects<'_>) {
        let heard_master = self.heard.is_some_and(|heard| heard.priority.is_some());
        if heard_master && self.spec.version == Version::V3 {
            return;
        }
        self.master_interval = self.spec.interval;
        if let State::Listening { from, .. } = &mut self.state {
            *from = out.now();
        }
    }

    /// New addresses come before old ones go, so that one that only moved in the list is never absent.
    fn amend_held(&mut self, was: &Arc<RouterSpec>, out: &mut Effects<'_>) {
        let same_place = was.mac == self.spec.mac && was.lease == self.spec.lease && was.accept == self.spec.accept;
        let gone = difference(was, &self.spec, same_place);
        let come = difference(&self.spec, was, same_place);
        if !gone.is_empty() && !same_place {
            self.release_old(was, gone.clone(), out);
        }
        if !come.is_empty() {
            self.hold_these(Arc::clone(&come), out);
            self.announce_these(come, out);
        }
        if !gone.is_empty() && same_place {
            self.release_old(was, gone, out);
        }
    }

    fn release_old(&self, was: &Arc<RouterSpec>, addresses: Arc<[VirtualAddress]>, out: &mut Effects<'_>) {
        out.push(super::Action::Release { router: self.id, spec: Arc::clone(was), addresses });
    }
}

/// What `of` holds and `without` does not; everything where the two hold in different ways.
fn difference(of: &RouterSpec, without: &RouterSpec, same_place: bool) -> Arc<[VirtualAddress]> {
    of.held().filter(|address| !same_place || !without.held().any(|other| other == *address)).collect()
}
