//! The state machine of one virtual router (RFC 9568, 6.4).

mod action;
mod amend;
mod counters;
mod effects;
mod election;
mod hmac;
mod interference;
mod record;
mod route;
mod router;
mod spec;
mod succession;
mod verdict;

pub use action::{Action, Expected, Origin, PortSpec};
pub use counters::RouterCounters;
pub use effects::Effects;
pub use election::SPLIT_BRAIN;
pub use hmac::{HmacAuth, HmacKey, HmacMode, apart};
pub use interference::Removed;
pub use record::{Cause, Evidence, Record, Resumption, Role, Seq, Subject, Why};
pub use route::{VirtualRoute, VirtualRule};
pub use router::{Heard, Router};
pub use spec::{AhFlavour, Announcing, Auth, ChecksumChoice, MacMode, Preempt, RouterSpec, Secret};
pub use succession::RouterBequest;
pub use verdict::{Fitness, Promotion, Unfit, Verdict};
