//! The authentication trailer of keepalived 2.4 for VRRPv3: HMAC-SHA-256 with a growing sequence.
//!
//! ```text
//!  octet  of the 28 behind the message
//!  0      extension type, 1
//!  1      key identifier
//!  2      reserved, 0
//!  4      sequence: seconds (4 octets), fraction of a second (2), counter (2)
//!  12     the first 16 octets of the digest
//! ```
//!
//! The digest covers a pseudo-header of 20 octets (IP version, VRRP version, VRID, 0, source address padded with zeros
//! to 16 octets), the message with its checksum field taken as zero, and the trailer with a zero digest. The message's
//! own checksum covers the message alone, and an IPv4 or IPv6 pseudo-header counts the message's length alone.

use super::packet::Packet;
use super::reader::Reader;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::IpAddr;
use std::time::Duration;

/// Octets of the whole trailer.
pub const TRAILER: usize = 28;

/// Octets before the digest.
const PREFIX: usize = 12;

/// Octets of the digest.
const DIGEST: usize = TRAILER - PREFIX;

/// The only extension type.
const TYPE_HMAC: u8 = 1;

/// What a trailer says besides its digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trailer {
    /// Which of the shared keys.
    pub key_id: u8,
    /// Grows with every packet of a sender: from the top, 32 bits of seconds since 1970, 16 bits of fraction, and a
    /// counter of 16 bits. Compared by serial number arithmetic (RFC 1982).
    pub sequence: u64,
}

/// What is wrong with a trailer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TrailerError {
    /// The message carries none.
    #[error("there is no authentication trailer")]
    Missing,
    /// The reserved field is not zero.
    #[error("the authentication trailer is malformed")]
    Malformed,
    /// Another key, or another message.
    #[error("the digest of the authentication trailer is wrong")]
    Digest,
}

/// Whether what follows a message is to be taken for a trailer: 28 octets of the known type.
pub(super) fn is_trailer(octets: &[u8]) -> bool {
    octets.len() == TRAILER && octets.first() == Some(&TYPE_HMAC)
}

impl Trailer {
    /// The seconds of the sequence, to be compared with the clock.
    #[must_use]
    pub fn seconds(self) -> u32 {
        u32::try_from(self.sequence >> 32).expect("the upper half of 64 bits")
    }

    /// The sequence of a moment after 1970; the counter tells apart what is sent within a fraction of a second.
    #[must_use]
    pub fn sequence_at(since_1970: Duration, counter: u16) -> u64 {
        let fraction = (u64::from(since_1970.subsec_nanos()) << 16) / 1_000_000_000;
        since_1970.as_secs() << 32 | fraction << 16 | u64::from(counter)
    }

    /// Reads the fields of [`Advert::trailer`](super::Advert::trailer), so that key and window can be looked up.
    /// Nothing in them is to be believed before [`Trailer::verify`].
    pub fn read(octets: &[u8]) -> Result<Self, TrailerError> {
        let mut reader = Reader::new(octets);
        match (reader.array(), reader.array()) {
            (Some([TYPE_HMAC, key_id, 0, 0]), Some(sequence)) if octets.len() == TRAILER => {
                Ok(Self { key_id, sequence: u64::from_be_bytes(sequence) })
            }
            _ => Err(TrailerError::Malformed),
        }
    }

    /// Verifies the trailer at the end of a packet that [`Advert::decode`](super::Advert::decode) found one in. The
    /// comparison takes constant time.
    pub fn verify(packet: &Packet<'_>, key: &[u8]) -> Result<Self, TrailerError> {
        let (message, octets) = packet.payload.split_last_chunk::<TRAILER>().ok_or(TrailerError::Missing)?;
        let trailer = Self::read(octets)?;
        let (_, digest) = octets.split_last_chunk::<DIGEST>().ok_or(TrailerError::Malformed)?;
        trailer
            .authenticate(packet.source, message, key)
            .verify_truncated_left(digest)
            .map_err(|_| TrailerError::Digest)?;
        Ok(trailer)
    }

    /// Appends the trailer to `out`, whose octets from `message` on are the encoded message.
    pub fn append(self, source: IpAddr, message: usize, key: &[u8], out: &mut Vec<u8>) {
        let digest = self.authenticate(source, out.get(message..).unwrap_or_default(), key).finalize().into_bytes();
        out.extend_from_slice(&self.prefix());
        out.extend(digest.iter().take(DIGEST));
    }

    fn prefix(self) -> [u8; PREFIX] {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.sequence.to_be_bytes();
        [TYPE_HMAC, self.key_id, 0, 0, s0, s1, s2, s3, s4, s5, s6, s7]
    }

    fn authenticate(self, source: IpAddr, message: &[u8], key: &[u8]) -> Hmac<Sha256> {
        let (ip_version, address) = match source {
            IpAddr::V4(address) => (4, u128::from(address.to_bits()) << 96),
            IpAddr::V6(address) => (6, address.to_bits()),
        };
        let mut reader = Reader::new(message);
        let [version_type, vrid, fields @ ..] = reader.array::<6>().unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&[ip_version, version_type >> 4, vrid, 0]);
        mac.update(&address.to_be_bytes());
        mac.update(&[version_type, vrid]);
        mac.update(&fields);
        mac.update(&[0, 0]);
        mac.update(reader.rest().get(2..).unwrap_or_default());
        mac.update(&self.prefix());
        mac.update(&[0; DIGEST]);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Advert, PROTOCOL_VRRP};
    use proptest::prelude::*;

    const MESSAGE: [u8; 12] = [0x31, 0x0a, 0x96, 0x01, 0x00, 0x64, 0x76, 0x2b, 192, 0, 2, 100];
    const KEY: &[u8] = b"a shared key of thirty-two octets";
    const STAMP: Trailer = Trailer { key_id: 7, sequence: 0x6712_3456_8000_0001 };

    fn packet(payload: &[u8]) -> Packet<'_> {
        Packet {
            source: IpAddr::from([192, 0, 2, 2]),
            destination: IpAddr::from([192, 0, 2, 1]),
            ttl: 255,
            header: &[],
            protocol: PROTOCOL_VRRP,
            payload,
        }
    }

    fn signed() -> Vec<u8> {
        let mut out = MESSAGE.to_vec();
        STAMP.append(packet(&[]).source, 0, KEY, &mut out);
        out
    }

    /// The digest over octets written out by hand from the description above.
    #[test]
    fn the_digest_covers_pseudo_header_message_and_prefix() {
        let mut covered = vec![4, 3, 10, 0, 192, 0, 2, 2];
        covered.extend([0; 12]);
        covered.extend([0x31, 0x0a, 0x96, 0x01, 0x00, 0x64, 0, 0, 192, 0, 2, 100]);
        covered.extend([1, 7, 0, 0, 0x67, 0x12, 0x34, 0x56, 0x80, 0, 0, 1]);
        covered.extend([0; 16]);
        let digest = Hmac::<Sha256>::new_from_slice(KEY).unwrap().chain_update(covered).finalize().into_bytes();
        let out = signed();
        assert_eq!(out[12..24], [1, 7, 0, 0, 0x67, 0x12, 0x34, 0x56, 0x80, 0, 0, 1]);
        assert_eq!(out[24..], digest[..16]);
    }

    #[test]
    fn what_was_signed_verifies_and_decodes() {
        let out = signed();
        assert_eq!(Trailer::verify(&packet(&out), KEY), Ok(STAMP));
        assert_eq!(STAMP.seconds(), 0x6712_3456);
        let advert = Advert::decode(&packet(&out)).unwrap();
        assert_eq!(advert.trailer.map(Trailer::read), Some(Ok(STAMP)));
    }

    #[test]
    fn no_bit_can_be_changed_but_those_of_the_checksum() {
        let out = signed();
        for bit in 0..out.len() * 8 {
            let mut flipped = out.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let in_checksum = (6..8).contains(&(bit / 8));
            // The type nibble is covered too, so is everything else.
            assert_eq!(Trailer::verify(&packet(&flipped), KEY).is_ok(), in_checksum, "bit {bit}");
        }
    }

    #[test]
    fn another_key_another_source_and_a_missing_trailer_are_refused() {
        let out = signed();
        assert_eq!(Trailer::verify(&packet(&out), b"another key"), Err(TrailerError::Digest));
        let spoofed = Packet { source: IpAddr::from([192, 0, 2, 3]), ..packet(&out) };
        assert_eq!(Trailer::verify(&spoofed, KEY), Err(TrailerError::Digest));
        assert_eq!(Trailer::verify(&packet(&MESSAGE), KEY), Err(TrailerError::Missing));
        assert_eq!(Trailer::read(&out[12..39]), Err(TrailerError::Malformed));
    }

    proptest! {
        #[test]
        fn round_trip(v6 in any::<Option<u128>>(), v4 in any::<u32>(), key in prop::collection::vec(any::<u8>(), 0..100),
                      key_id in any::<u8>(), sequence in any::<u64>(), message in prop::collection::vec(any::<u8>(), 8..80)) {
            let source = v6.map_or(IpAddr::from(v4.to_be_bytes()), |raw| IpAddr::from(raw.to_be_bytes()));
            let trailer = Trailer { key_id, sequence };
            let mut out = vec![0xa5; 20];
            out.extend(&message);
            trailer.append(source, 20, &key, &mut out);
            let received = Packet { source, ..packet(&out[20..]) };
            prop_assert_eq!(Trailer::verify(&received, &key), Ok(trailer));
        }

        #[test]
        fn anything_returns(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Trailer::read(&octets);
            prop_assert!(Trailer::verify(&packet(&octets), KEY).is_err());
        }
    }
}
