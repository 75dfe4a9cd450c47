//! `vrrpd`: a VRRP failover daemon for Linux, VRRPv2 (RFC 3768, RFC 2338) and VRRPv3 (RFC 9568).
//!
//! RFC 9568 says *Active* where everybody else says *Master*. This project says **Master** and **Backup** everywhere:
//! its Master is the RFC's Active.
//!
//! # The promise of the core
//!
//! [`time`], [`units`], [`ids`], [`track`], [`wire`], [`vrrp`] and [`engine`] do no I/O, read no clock, draw no random
//! number and start no thread. Time and identity come in as arguments; what to do comes out as values. So the code that
//! moves addresses in a data centre is the code that the simulator ([`sim`]) runs through ten thousand random worlds,
//! and a run that fails is a seed that anyone can replay. `tests/layering.rs` reads the sources and enforces it.
//!
//! # The way of a packet
//!
//! ```text
//! packet   socket -> net::Port -> Engine::handle(Event::Packet)
//!            wire::Advert::decode   syntax, TTL, checksum     Err -> one counter, perhaps one warning
//!            engine::receive        the virtual router's own checks, in the order of RFC 9568, 7.1
//!            vrrp::Router           state; has its verdict changed?
//!            Engine::settle         the group takes the minimum of its members' verdicts
//!          -> actions, in causal order
//! actions  daemon::execute: adverts first, then addresses in netlink batches, each followed by its announcements
//!
//! track    Action::RunCheck -> checks::Runner -> Event::Check -> rise and fall -> one priority for the group
//! kernel   net::Monitor -> Event::Interface, Event::AddressLost
//! reload   file -> config::load -> Plan -> Engine::reconfigure: amended in place, settled once per group
//! status   control request -> Engine::snapshot -> JSON
//! upgrade  Engine::bequeath -> memory -> Engine::resume in the next daemon, then as a reload
//! history  every change is one Record: the log line, the hook, `vrrpctl events` and the metric render it
//! ```
//!
//! # Two threads and a guardian
//!
//! The protocol thread ([`daemon`]) owns the sockets, the timer and the engine, and waits for nothing but the kernel.
//! The service side (a `tokio` runtime on the main thread) runs checks, hooks, the control socket, reloads and the log;
//! bounded channels connect the two, and a full one costs a count, never a wait. Before either does anything, a small
//! process is started ([`daemon::guardian`]) that resigns and releases for a daemon that dies or hangs; behind it, the
//! addresses themselves carry a lifetime in the kernel. It also stands in while one daemon hands over to the next
//! (`daemon/succession`): what the engine knows goes through memory ([`engine::Bequest`]), the sockets stay open.
//!
//! # Where this departs from what one might expect
//!
//! - A verdict has a fourth value between yielding and claiming: a router that handed over *lingers*. It has resigned,
//!   so that a peer takes over within `Skew_Time`, and keeps its addresses until one is heard or its own timer brings
//!   it back. A failing check on both hosts therefore never takes the service away.
//! - The engine takes packets, not decoded adverts: what is wrong with a packet is counted in one place, and the
//!   simulator and the vectors exercise the same path as the sockets.
//! - Masters of one interface whose adverts are due within a thirty-second of their interval fall into step, once, and
//!   from then on share one wake and one system call.
//! - The guardian is this program started anew rather than a fork: no memory of the daemon's is kept alive by it, and it
//!   can be started again at any time, threads or not.
//! - Netlink is spoken over plain sockets with the message types of `netlink-packet-route`, without an asynchronous
//!   client: the kernel answers a request before `send` returns, so there is nothing to wait for.
//! - `pnet_packet` builds the frames that are sent. Received octets are read by [`wire`] alone, which cannot panic.
//! - The configuration is read from a tree with places rather than through `serde`, which stops at the first error.

pub mod checks;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod engine;
pub mod exporter;
pub mod hooks;
pub mod ids;
pub mod net;
pub mod process;
pub mod sim;
pub mod time;
pub mod track;
pub mod units;
pub mod vrrp;
pub mod wire;
