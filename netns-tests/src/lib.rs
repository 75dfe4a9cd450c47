//! Hosts in network namespaces, with real daemons, real packets and real peers.
//!
//! A [`Lab`] is a switch and some hosts, each in a network namespace of its own. A [`Daemon`] is `vrrpd` or keepalived running on one of
//! them, from the same [`PairConfig`]. A [`Capture`] is what went over the wire, with the kernel's time stamps; it decodes packets by
//! itself and shares no code with `vrrpd`, so that it tests the world and not what we believe of it.
//!
//! ```text
//!   h1 eth0 ----- h1 |            |
//!   h2 eth0 ----- h2 | br0 in sw  |  192.168.100.0/24, 2001:db8:100::/64
//!   t  eth0 ----- t  |            |  t is the client, and the one that captures and injects
//! ```
//!
//! Everything a lab makes carries the process id of the run in its name, and goes when the lab is dropped, also in a panic. What a
//! killed run left behind goes when the next lab is made. Root is needed.

// What waits for something is called for the waiting.
#![allow(clippy::must_use_candidate)]

mod capture;
pub mod conformance;
mod craft;
mod daemon;
mod decode;
mod duo;
mod flood;
mod handover;
mod http;
mod lab;
mod manager;
mod measure;
mod namespace;
mod netlink;
mod nginx;
mod notices;
mod pair;
mod process;
mod stamp;
mod succession;
mod sys;
mod theory;

pub use capture::Capture;
pub use craft::Crafted;
pub use daemon::{Daemon, Implementation, with_state};
pub use decode::{Advert, Arp, Checksum, Event, NeighbourAdvertisement, Packet};
pub use duo::{Duo, JITTER, SLACK};
pub use flood::Flood;
pub use handover::Handover;
pub use http::{Answer, Prober};
pub use lab::{Host, Injector, Lab};
pub use manager::{Job, Manager};
pub use measure::{Usage, Used, median, percentile};
pub use nginx::Nginx;
pub use notices::{Notice, Notices, held_by_both};
pub use pair::{PairConfig, RouterConfig, ScriptConfig};
pub use process::Process;
pub use stamp::Stamp;
pub use succession::{Onlooker, Succession, measure_upgrade, takeovers, upgrade};
pub use theory::{down_interval, skew_time};

/// Ends the test with the cause when the machine refuses something that every test here needs.
pub(crate) trait Must<T> {
    /// The value, or a panic that says what was being done.
    fn must(self, doing: impl std::fmt::Display) -> T;
}

impl<T, E: std::fmt::Display> Must<T> for Result<T, E> {
    #[track_caller]
    fn must(self, doing: impl std::fmt::Display) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("{doing}: {error}"),
        }
    }
}
