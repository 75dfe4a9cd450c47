//! Between the protocol thread and the kernel: raw sockets for adverts ([`Port`]), a packet socket for announcements
//! ([`FrameSocket`]), netlink requests ([`Netlink`]), the kernel's notices ([`Monitor`]) and the set of addresses that
//! virtual routers hold ([`Reconciler`]).
//!
//! Every part is a plain non-blocking descriptor for the thread's epoll set and a few calls that never wait.

mod farewell;
mod frames;
mod interfaces;
mod message;
mod monitor;
mod netlink;
mod outbox;
mod port;
mod reconcile;
mod sys;

pub use farewell::Farewell;
pub use frames::FrameSocket;
pub use message::{KernelAddress, LinkState};
pub use monitor::{Monitor, Notice};
pub use netlink::{ADDRESS_PROTOCOL, AddressChange, AddressKernel, Change, Netlink, NetlinkError};
pub use port::{Port, PortError};
pub use reconcile::{Placement, Reconciler};
pub use sys::{ReceiveBuffers, keep_descriptors_from_children, set_realtime};
