//! Counters of one interface, named after RFC 8347 and RFC 6527. A discarded packet is counted exactly once: at the
//! virtual router it was for, where there is one, and otherwise (or where the RFCs say global) here.

/// Counters of one interface, for what is wrong before a virtual router is known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(default)]
pub struct PortCounters {
    /// TTL or Hop Limit was not 255.
    pub ip_ttl_errors: u64,
    /// Unknown version, or not the one the virtual router speaks.
    pub version_errors: u64,
    /// No such virtual router on this interface.
    pub vrid_errors: u64,
    /// Checksum does not hold, and no virtual router known.
    pub checksum_errors: u64,
    /// Cut before the virtual router could be read, or for one not known.
    pub packet_length_errors: u64,
    /// Not an advertisement, and no virtual router known.
    pub invalid_type_received: u64,
    /// Dropped by the kernel-side filter (an estimate).
    pub filtered: u64,
}
