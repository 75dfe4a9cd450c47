//! Bytes to values and back: one protocol a file, every file in the same order (offsets, the value, decode, encode,
//! tests). What a peer can do wrong on the wire is one variant of [`DecodeError`], which is also the counter.

pub mod advert;
pub mod packet;

pub use advert::{Advert, AuthField, ChecksumForm, DecodeError, Outgoing, Rejection, Standing};
pub use packet::Packet;
