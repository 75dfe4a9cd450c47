//! A reload changes a router in place: timers run on, and only what changed is done.

use super::effects::Effects;
use super::router::{Router, State};
use super::spec::RouterSpec;
use crate::units::VirtualAddress;
use std::sync::Arc;

impl Router {
    /// Takes over a changed configuration of the same identity and version.
    pub fn amend(&mut self, spec: &Arc<RouterSpec>, group: Option<Arc<str>>, out: &mut Effects<'_>) {
        self.group = group;
        if self.spec == *spec {
            return;
        }
        let was = std::mem::replace(&mut self.spec, Arc::clone(spec));
        if self.master_interval == was.interval {
            self.master_interval = spec.interval;
        }
        if self.holding {
            self.amend_held(&was, out);
        }
        let is_master = matches!(self.state, State::Master { .. });
        if is_master && !was.advertised().eq(spec.advertised()) {
            self.advertise(out);
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
