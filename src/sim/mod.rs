//! The deterministic simulator: any number of nodes, each the real engine, on segments that lose, delay, reorder,
//! duplicate and corrupt real bytes; one virtual clock and one seed. An equal seed is an equal run.
//!
//! ```
//! use std::time::Duration;
//! use vrrpd::engine::Plan;
//! use vrrpd::ids::InterfaceName;
//! use vrrpd::sim::{Quality, World};
//!
//! let mut world = World::new(1);
//! let lan = world.add_segment(Quality::GOOD);
//! let eth0 = InterfaceName::new("eth0").expect("a legal name");
//! let a = world.add_node("a", Plan::default(), &[(eth0, lan)]);
//! world.run(Duration::from_secs(10))?;
//! world.crash(a);
//! # Ok::<(), vrrpd::sim::Violation>(())
//! ```
//!
//! The simulated daemon drains its sockets first, then kernel notices, then check results and commands, and only then
//! its timer, as the real one does: a timer must not outrun an advert that has already arrived. Authentication Headers
//! are not simulated.

mod execute;
mod faults;
mod invariant;
mod link;
mod node;
mod rng;
mod trace;
mod world;

pub use invariant::{Invariant, Moment, Violation};
pub use link::{Datagram, Quality};
pub use rng::Rng;
pub use world::{NodeId, SegmentId, World};
