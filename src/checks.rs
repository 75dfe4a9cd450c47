//! Checks: what a track looks at, done.
//!
//! The engine decides when a polled check runs; a [`Runner`] runs it and reports. What the kernel tells by itself is
//! followed by [`Watchers`]. Both report through a [`Report`] given at the start.

mod arp;
mod http;
mod ping;
mod runner;
mod script;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod watch;

pub use runner::Runner;
pub use watch::{Watched, Watchers};

use crate::engine::CheckReport;
use crate::ids::TrackerId;
use std::sync::Arc;

/// Where outcomes go. It is called from the thread that found them, and must not block.
pub type Report = Arc<dyn Fn(TrackerId, CheckReport) + Send + Sync>;

/// What one run of a check found: what to tell operators, and whether it was good.
type Finding = Result<String, String>;
