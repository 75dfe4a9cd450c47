//! The control socket: what operators see of the daemon, and how they steer it.
//!
//! Everything here runs on the service side. A client can be slow, hostile or one of a thousand: each is bounded in
//! what it may send, in how long it may take to read, and in what it costs the protocol thread.

mod authority;
mod backend;
mod document;
mod drains;
#[cfg(test)]
mod every_field;
mod explain;
mod histogram;
mod history;
mod journal;
mod keeper;
mod listener;
mod protocol;
mod record;
mod server;
mod status;
#[cfg(test)]
mod testing;
mod wall;
mod words;

pub use backend::{About, Backend, ReloadOutcome, Request, Status, UpgradeOutcome};
pub use document::{
    AttachedTrack, ConfigDocument, Document, DrainDocument, GroupDocument, InterfaceDocument, MasterDocument,
    MetricsDocument, RouterDocument, TrackDocument, WarningDocument,
};
pub use drains::{SavedDrain, SavedDrains};
pub use explain::explain;
pub use histogram::{BucketDocument, Histogram, HistogramDocument, Timings};
pub use history::{Entry, History, Page};
pub use keeper::{Complaint, Keeper, Restored};
pub use listener::{BindError, Listener};
pub use protocol::{Ask, Done, EventsEnd, Explanation, Refusal, ReloadAnswer, UpgradeAnswer};
pub use record::Rendering;
pub use server::{Limits, serve};
pub use status::document;
pub use wall::{WallClock, rfc3339};
pub use words::{one_line, seconds, span, why_not_master};
