//! Memory that stays in memory: a page that has to be fetched from a disk is as late as a CPU that was lost.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Locks every page of this process once it has been touched, and no other: what is mapped and never used costs nothing.
/// Only where `RLIMIT_MEMLOCK` has no bound or can be lifted, which takes `CAP_SYS_RESOURCE`: with a bound, a thread that
/// is started later would not get its stack.
pub(super) fn lock() -> io::Result<()> {
    let unbounded = Rlimit { current: None, maximum: None };
    if getrlimit(Resource::Memlock) != unbounded {
        setrlimit(Resource::Memlock, unbounded)?;
    }
    Ok(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?)
}
