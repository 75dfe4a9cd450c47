//! The guardian: a small process that outlives the daemon by a moment. When the daemon dies without a goodbye, or
//! hangs for three of its shortest intervals, the guardian ends it, resigns for each of its Masters, takes its
//! addresses away, and exits. While one daemon hands over to the next it stands in (`caretaker`), with a deadline. It
//! does no more than that.
//!
//! It is this same program, started anew before anything else, with one end of a socket pair as its standard input and
//! a timer as its standard output. Through the socket the daemon says what would have to be done (`will`); the end of the
//! socket says that it is dead. The timer would fire three intervals after the daemon last set it (`pulse`), so one that
//! is well never wakes the guardian.

mod caretaker;
mod keeper;
mod predecessor;
mod program;
mod pulse;
mod will;

pub(super) use caretaker::Speech;
pub(super) use keeper::{Keeper, Voice};
pub(super) use predecessor::Predecessor;
pub use program::run;
pub(super) use will::Datagram;

/// The argument that makes this program a guardian. Nobody types it.
pub const ARGUMENT: &str = "--guardian";
