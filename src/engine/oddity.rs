//! What can be wrong or odd about an advert for a virtual router of ours, or about who claims its addresses: one variant
//! each, which is also the counter and the name of the warning.

use crate::vrrp::RouterCounters;
use pnet_base::MacAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Oddity {
    #[error("it speaks VRRPv{theirs}, this router VRRPv{ours}: set the same version on both sides")]
    Version { theirs: u8, ours: u8 },
    #[error("an advert of this router came back to it")]
    Own,
    #[error(
        "the source is not one that adverts may come from: look at unicast_peers, or for IPv6 at its link-local address"
    )]
    Source,
    #[error("it was not sent to the multicast group: one side uses unicast_peers, the other does not")]
    Destination,
    #[error("authentication type {0} does not exist")]
    InvalidAuthType(u8),
    #[error("authentication type {theirs} where type {ours} is configured: set the same authentication on both sides")]
    AuthTypeMismatch { theirs: u8, ours: u8 },
    #[error("the password or digest is wrong: set the same secret on both sides")]
    AuthFailure,
    #[error("an authenticated packet that came before, or comes too late")]
    Replay,
    #[error(
        "it carries an authentication trailer and none is configured here: set the same authentication on both sides"
    )]
    Trailer,
    #[error(
        "it carries no authentication trailer: set the same authentication on both sides, or mode = \"permissive\" until all of them sign"
    )]
    Unsigned,
    #[error("it is signed with key {0}, which is not among the keys here: add it on this side")]
    KeyUnknown(u8),
    #[error("its time stamp is {0} s away from this host's clock: look at the time of both hosts")]
    Window(u32),
    #[error("it lists no address")]
    NoAddresses,
    #[error("its first address is not link-local")]
    FirstAddress,
    #[error("its interval is zero")]
    IntervalZero,
    #[error("its interval is {theirs_centis}0 ms, here it is {ours_centis}0 ms: VRRPv2 takes no adverts then")]
    IntervalRefused { theirs_centis: u16, ours_centis: u16 },
    #[error(
        "its interval is {theirs_centis}0 ms, here it is {ours_centis}0 ms: set the same advert_interval on both sides"
    )]
    IntervalDiffers { theirs_centis: u16, ours_centis: u16 },
    #[error(
        "it lists other addresses: set the same virtual_addresses on both sides, or another VRID if it is not a peer"
    )]
    AddressListDiffers,
    #[error(
        "it lists other addresses, and VRRPv2 takes no adverts then, so both become Master: set the same virtual_addresses on both sides, with one of them stopped meanwhile, or another VRID if it is not a peer"
    )]
    AddressListRefused,
    #[error("it claims to own the addresses (priority 255), as this router does: only one can")]
    OwnerConflict,
    #[error("it has the same priority: addresses decide who is Master; set different priorities")]
    EqualPriority,
    #[error(
        "another host answers for this address, with MAC address {mac}: traffic goes astray. Look for that MAC address in \
         the switches, and remove the address there; if it is a peer, its adverts do not arrive here: look at the network \
         and at firewalls"
    )]
    AddressClaimed { mac: MacAddr },
    #[error(
        "this router has taken over and given way to it three times within a minute: adverts come late or are lost; look for load and full queues on both sides, or raise advert_interval"
    )]
    Flapping,
}

impl Oddity {
    /// The name of the warning: that of the counter where there is one.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Version { .. } => "version_errors",
            Self::Own => "self_received",
            Self::Source => "source_address_errors",
            Self::Destination => "destination_errors",
            Self::InvalidAuthType(_) => "invalid_auth_type",
            Self::AuthTypeMismatch { .. } | Self::Unsigned => "auth_type_mismatch",
            Self::AuthFailure | Self::Trailer | Self::KeyUnknown(_) => "auth_failures",
            Self::Replay | Self::Window(_) => "auth_replays",
            Self::NoAddresses => "addr_count_errors",
            Self::FirstAddress => "first_address_errors",
            Self::IntervalZero => "interval_zero_errors",
            Self::IntervalRefused { .. } | Self::IntervalDiffers { .. } => "interval_errors",
            Self::AddressListDiffers | Self::AddressListRefused => "address_list_errors",
            Self::OwnerConflict => "owner_conflicts",
            Self::EqualPriority => "equal_priority",
            Self::AddressClaimed { .. } => "address_claimed",
            Self::Flapping => "flapping",
        }
    }

    /// How far apart its signs are at most while it lasts, where adverts are `interval` apart. ARP is repeated when caches
    /// grow old: within a minute or so.
    pub(super) fn spacing(self, interval: Duration) -> Duration {
        match self {
            Self::AddressClaimed { .. } => Duration::from_mins(1),
            _ => interval,
        }
    }

    /// Where it is counted; a version other than the router's counts at the interface.
    pub(super) fn counter(self, counters: &mut RouterCounters) -> Option<&mut u64> {
        match self {
            Self::Version { .. } | Self::EqualPriority | Self::AddressClaimed { .. } | Self::Flapping => None,
            Self::Own => Some(&mut counters.self_received),
            Self::Source => Some(&mut counters.source_address_errors),
            Self::Destination => Some(&mut counters.destination_errors),
            Self::InvalidAuthType(_) => Some(&mut counters.invalid_auth_type),
            Self::AuthTypeMismatch { .. } | Self::Unsigned => Some(&mut counters.auth_type_mismatch),
            Self::AuthFailure | Self::Trailer | Self::KeyUnknown(_) => Some(&mut counters.auth_failures),
            Self::Replay | Self::Window(_) => Some(&mut counters.auth_replays),
            Self::NoAddresses => Some(&mut counters.addr_count_errors),
            Self::FirstAddress => Some(&mut counters.first_address_errors),
            Self::IntervalZero => Some(&mut counters.interval_zero_errors),
            Self::IntervalRefused { .. } | Self::IntervalDiffers { .. } => Some(&mut counters.interval_errors),
            Self::AddressListDiffers | Self::AddressListRefused => Some(&mut counters.address_list_errors),
            Self::OwnerConflict => Some(&mut counters.owner_conflicts),
        }
    }
}
