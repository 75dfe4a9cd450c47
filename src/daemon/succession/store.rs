//! A restart: descriptors go to the service manager's store, from where the next start gets them.

use super::Bundle;
use crate::daemon::systemd::Notifier;
use std::io;

/// Leaves everything in the store, and waits until the manager has it.
pub(in crate::daemon) fn store(bundle: &Bundle, notifier: &Notifier) -> io::Result<()> {
    for (name, descriptor) in &bundle.0 {
        notifier.store(name, descriptor)?;
    }
    notifier.barrier()
}
