//! The guardian: a small process that outlives the daemon by a moment. When the daemon dies without a goodbye, or
//! hangs for three of its shortest intervals, the guardian ends it, resigns for each of its Masters, takes its
//! addresses away, and exits. It does no more than that.
//!
//! It is this same program, started anew before anything else, with one end of a socket pair as its standard input.
//! The daemon tells it what would have to be done ([`will`]) and that it is alive; the end of the socket says that it
//! is not.

mod keeper;
mod program;
mod will;

pub(super) use keeper::{Keeper, Voice};
pub use program::run;

/// The argument that makes this program a guardian. Nobody types it.
pub const ARGUMENT: &str = "--guardian";
