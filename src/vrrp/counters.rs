//! Counters of one virtual router, named after RFC 8347 and RFC 6527. A discarded packet is counted exactly once.

/// Counters of one virtual router.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(default)]
pub struct RouterCounters {
    /// Times it became Master.
    pub active_transitions: u64,
    /// Times it became Backup.
    pub backup_transitions: u64,
    /// Times something it needs failed.
    pub fault_transitions: u64,
    /// Adverts that passed every mandatory check, resignations included.
    pub advertisements_received: u64,
    /// Adverts sent, resignations included.
    pub advertisements_sent: u64,
    /// Resignations received.
    pub priority_zero_received: u64,
    /// Resignations sent.
    pub priority_zero_sent: u64,
    /// Adverts whose interval differs from the local one (v3: accepted; v2: discarded).
    pub interval_errors: u64,
    /// Adverts whose address list differs from the local one.
    pub address_list_errors: u64,
    /// Not an advertisement.
    pub invalid_type_received: u64,
    /// Cut or overlong.
    pub packet_length_errors: u64,
    /// Checksum does not hold.
    pub checksum_errors: u64,
    /// An authentication type that does not exist.
    pub invalid_auth_type: u64,
    /// An authentication type other than the local one, or no trailer where one is required.
    pub auth_type_mismatch: u64,
    /// A wrong password or digest, an unknown key, or a trailer where none is configured.
    pub auth_failures: u64,
    /// An authenticated packet that came before, or whose time stamp is outside the window.
    pub auth_replays: u64,
    /// No addresses listed.
    pub addr_count_errors: u64,
    /// IPv6: the first address is not link-local.
    pub first_address_errors: u64,
    /// Interval 0.
    pub interval_zero_errors: u64,
    /// Adverts of another owner heard by an owner.
    pub owner_conflicts: u64,
    /// Its own adverts heard.
    pub self_received: u64,
    /// From an address that is not link-local (IPv6) or not a peer (unicast).
    pub source_address_errors: u64,
    /// Multicast mode, and not sent to the group.
    pub destination_errors: u64,
    /// Lower adverts that would have been answered, but for the limit on answers.
    pub answers_held_back: u64,
    /// Gratuitous ARP messages sent.
    pub gratuitous_arp_sent: u64,
    /// Unsolicited neighbour advertisements sent.
    pub neighbor_advertisements_sent: u64,
    /// Addresses that somebody removed and that were put back.
    pub addresses_restored: u64,
    /// Routes and rules that somebody removed and that were put back.
    pub routes_restored: u64,
    /// Adverts and announcements that the kernel refused to send.
    pub send_errors: u64,
}
