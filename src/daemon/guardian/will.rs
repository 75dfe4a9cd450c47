//! What is to be done for a daemon that cannot do it any more.

use super::caretaker::Speech;
use crate::daemon::seal::{Seal, Stamps};
use crate::net::Farewell;
use crate::units::VirtualAddress;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// What the daemon tells its guardian: one message a datagram.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Message {
    /// This stands for the router from now on.
    Will(Will),
    /// Nothing is to be done for this router any more.
    Revoked {
        /// Which.
        router: u32,
    },
    /// What a Master of a daemon that hands over goes on to say.
    Speech(Speech),
    /// The daemon hands over: whoever speaks through its end of the socket next is its successor. Stand in until then.
    HandingOver,
    /// The successor has taken over these routers. Do for the others what is in their wills, and go.
    Relieved {
        /// Which.
        kept: Vec<u32>,
    },
    /// The daemon has done everything itself: go.
    Goodbye,
}

/// What is to be done for one virtual router.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Will {
    /// Which.
    pub(super) router: u32,
    /// While it is Master: how often its daemon speaks.
    pub(super) pace: Option<Duration>,
    /// While it is Master: its resignation, to each destination.
    pub(super) resignations: Vec<Datagram>,
    /// What it holds.
    pub(super) addresses: Vec<Held>,
}

/// A whole IP datagram, and where it leaves.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(in crate::daemon) struct Datagram {
    /// The index of the interface.
    pub(in crate::daemon) interface: u32,
    /// Where to.
    pub(in crate::daemon) destination: IpAddr,
    /// With its header, and where there is a signature with room for it at the end.
    pub(in crate::daemon) octets: Vec<u8>,
    /// Where its message begins, and what signs that when it is sent: its time stamp has to be near the peer's clock.
    pub(in crate::daemon) signature: Option<(usize, Seal)>,
}

impl Datagram {
    /// Sends it, signed as of this moment where it is to be signed.
    pub(super) fn send(&mut self, farewell: &mut Farewell, stamps: &mut Stamps) -> io::Result<()> {
        if let Some((message, seal)) = &self.signature {
            seal.sign_reserved(stamps, *message, &mut self.octets);
        }
        farewell.send(self.interface, self.destination, &self.octets)
    }
}

/// An address on an interface.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub(super) struct Held {
    /// The index of the interface.
    pub(super) interface: u32,
    /// The address.
    pub(super) ip: IpAddr,
    /// Its prefix length.
    pub(super) prefix: u8,
}

impl Held {
    pub(super) fn address(self) -> VirtualAddress {
        VirtualAddress { ip: self.ip, prefix: self.prefix }
    }
}

impl Will {
    pub(super) fn is_empty(&self) -> bool {
        self.resignations.is_empty() && self.addresses.is_empty()
    }
}

impl Message {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message has no map with other keys than strings, and no failing field")
    }

    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        serde_json::from_slice(octets).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let will = Will {
            router: 7,
            pace: Some(Duration::from_millis(100)),
            resignations: vec![Datagram {
                interface: 2,
                destination: IpAddr::from([224, 0, 0, 18]),
                octets: vec![0x45, 0xc0],
                signature: None,
            }],
            addresses: vec![Held { interface: 2, ip: IpAddr::from([192, 0, 2, 10]), prefix: 24 }],
        };
        let speech = Speech {
            router: 7,
            pace: Duration::from_millis(100),
            last: Timestamp::from_origin(Duration::from_secs(9)),
            adverts: vec![will.resignations.clone()],
        };
        for message in [
            Message::Will(will),
            Message::Revoked { router: 7 },
            Message::Speech(speech),
            Message::HandingOver,
            Message::Relieved { kept: vec![7] },
            Message::Goodbye,
        ] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
        assert_eq!(Message::decode(b"{"), None);
    }
}
