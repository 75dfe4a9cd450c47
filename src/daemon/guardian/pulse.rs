//! When the daemon was last alive: eight octets of memory that both processes see.

use crate::time::Timestamp;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::uio::{pread, pwrite};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Makes the memory.
pub(super) fn create() -> io::Result<OwnedFd> {
    Ok(memfd_create("vrrpd-pulse", MFdFlags::MFD_CLOEXEC)?)
}

/// Notes that the daemon is alive at `now`.
pub(super) fn beat(memory: impl AsFd, now: Timestamp) {
    let nanos = u64::try_from(now.since_origin().as_nanos()).unwrap_or(u64::MAX);
    // Memory that takes no eight octets is noticed by the guardian as silence.
    let _ = pwrite(memory, &nanos.to_ne_bytes(), 0);
}

/// When the daemon was last alive; the origin of time where it never said so.
pub(super) fn last(memory: impl AsFd) -> Timestamp {
    let mut octets = [0; 8];
    match pread(memory, &mut octets, 0) {
        Ok(8) => Timestamp::from_origin(Duration::from_nanos(u64::from_ne_bytes(octets))),
        Ok(_) | Err(_) => Timestamp::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_beat_is_seen() {
        let memory = create().expect("memory");
        assert_eq!(last(&memory), Timestamp::ZERO);
        for millis in [5, 7] {
            let now = Timestamp::from_origin(Duration::from_millis(millis));
            beat(&memory, now);
            assert_eq!(last(&memory), now);
        }
    }
}
