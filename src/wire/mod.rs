//! Bytes to values and back: one protocol a file, every file in the same order (offsets, the value, decode, encode,
//! tests). What a peer can do wrong on the wire is one variant of [`DecodeError`], which is also the counter.
//!
//! Received bytes are read by the cursor of `reader` alone and never by index. Frames to send are laid out by
//! `pnet_packet`, which is not used for reading: some of its iterators panic on hostile lengths.

#![deny(clippy::indexing_slicing)]

pub mod advert;
pub mod arp;
pub mod auth;
pub mod checksum;
pub mod ethernet;
pub mod ip;
pub mod ndp;
pub mod packet;
mod reader;
pub mod trailer;

pub use advert::{Advert, AuthField, ChecksumForm, DecodeError, Outgoing, Rejection, Standing};
pub use auth::AhFlavour;
pub use packet::{Packet, PacketError};
pub use trailer::Trailer;

/// The IP protocol number of VRRP (RFC 9568, 5.1.1.4).
pub const PROTOCOL_VRRP: u8 = 112;

/// The IP protocol number of the Authentication Header (RFC 2402, 2).
pub const PROTOCOL_AH: u8 = 51;

/// Appends `octets` zeros to `out` and lends them, for a packet to be laid out in.
fn grow(out: &mut Vec<u8>, octets: usize) -> &mut [u8] {
    let start = out.len();
    out.resize(start + octets, 0);
    out.split_at_mut(start).1
}
