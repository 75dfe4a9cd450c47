//! The state machine of one virtual router (RFC 9568, 6.4).

mod action;
mod record;
mod spec;
mod verdict;

pub use action::{Action, PortSpec};
pub use record::{Cause, Evidence, Record, Role, Seq, Subject, Why};
pub use spec::{AhFlavour, Announcing, Auth, ChecksumChoice, MacMode, Preempt, RouterSpec, Secret};
pub use verdict::{Fitness, Unfit, Verdict};
