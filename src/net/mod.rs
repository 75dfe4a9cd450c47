//! Between the protocol thread and the kernel: raw sockets for adverts ([`Port`]), a packet socket for announcements
//! ([`FrameSocket`]), netlink requests ([`Netlink`]), the kernel's notices ([`Monitor`]) and the set of addresses that
//! virtual routers hold ([`Reconciler`]), put on the interface itself or on a macvlan with the virtual MAC address
//! ([`Vmacs`]), with packets to them taken or refused ([`Filter`]).
//!
//! Every part is a plain non-blocking descriptor for the thread's epoll set and a few calls that never wait.

mod bpf;
mod farewell;
mod filter;
mod frames;
mod held_sources;
mod interfaces;
mod macvlan;
mod message;
mod monitor;
mod netlink;
mod nft;
mod outbox;
mod port;
mod reconcile;
mod remover;
mod routes;
mod sieve;
mod sys;
mod sysctl;
mod vmac;
mod witness;

pub use farewell::Farewell;
pub use filter::{Filter, FilterError};
pub use frames::FrameSocket;
pub use held_sources::{HeldSources, sweep as sweep_held_sources};
pub use macvlan::Macvlan;
pub use message::{KernelAddress, LinkState};
pub use monitor::{Monitor, Notice};
pub use netlink::{ADDRESS_PROTOCOL, AddressChange, AddressKernel, Change, Netlink, NetlinkError};
pub use port::{Port, PortError};
pub use reconcile::{Placement, Reconciler};
pub use routes::{RouteOutcome, Routes, sweep as sweep_routes};
pub use sieve::{SAMPLE, Sieve};
pub use sys::{BATCH, ReceiveBuffers, keep_descriptors_from_children, set_realtime, set_slice, take_descriptor};
pub use sysctl::SysctlError;
pub use vmac::{Device, VmacError, Vmacs, sweep as sweep_macvlans};
pub use witness::Witness;
