//! All virtual routers, sync groups and tracks together: the whole behaviour of the daemon as one value.

mod counters;
mod event;
mod plan;
mod snapshot;

pub use counters::{PortCounters, RouterCounters};
pub use event::{CheckReport, Command, Event, InterfaceFacts, Outcome};
pub use plan::{Attachment, Candidacy, Check, GroupPlan, HttpCheck, Plan, TrackerSpec, Weight};
pub use snapshot::{AttachedStatus, GroupStatus, InterfaceStatus, MasterStatus, RouterStatus, Snapshot, TrackerStatus};
