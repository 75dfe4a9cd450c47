//! What the guardian is told after each batch.

use super::super::guardian::{Keeper, Voice};
use super::super::ports::OpenPort;
use super::Executor;
use crate::units::VirtualAddress;
use crate::vrrp::Action;
use crate::wire::Standing;
use std::sync::Arc;

impl Executor {
    /// Keeps the guardian's idea of what is to be done for each router current. It removes what we have put there, and
    /// not what an interface had before.
    pub(super) fn bequeath(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Advertise { port, .. } => {
                    if let Some(open) = self.ports.get_mut(port) {
                        bequeath_voice(&mut self.keeper, open, action);
                    }
                }
                Action::Hold { router, addresses, .. } => {
                    if let Some((interface, index)) = self.placed.get(router) {
                        let is_ours = |address: &VirtualAddress| self.reconciler.is_ours(interface, *address);
                        let ours: Vec<VirtualAddress> = addresses.iter().copied().filter(is_ours).collect();
                        self.keeper.holds(*router, *index, &ours);
                    }
                }
                Action::Release { router, addresses, .. } => self.keeper.releases(*router, addresses),
                _ => {}
            }
        }
    }
}

/// Keeps the guardian's idea of a Master's resignation current.
fn bequeath_voice(keeper: &mut Keeper, open: &mut OpenPort, action: &Action) {
    /// How far a guardian's sequence number is ahead: the daemon will have sent more by the time it is used.
    const AHEAD: u32 = 1 << 20;
    let Action::Advertise { router, spec, source, standing, checksum, sequence, .. } = action else { return };
    match standing {
        Standing::Resigning => keeper.falls_silent(*router),
        Standing::Holding(_) => {
            let voice = Voice { spec: Arc::clone(spec), source: *source, checksum: *checksum };
            keeper.speaks(*router, &voice, || open.resignation(&voice, sequence.wrapping_add(AHEAD)));
        }
    }
}
