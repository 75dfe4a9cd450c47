//! A virtual router to start from.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use vrrpd::ids::{InterfaceName, RouterKey};
use vrrpd::units::{Family, Interval, Version, VirtualAddress, Vrid};
use vrrpd::vrrp::{Announcing, Auth, ChecksumChoice, MacMode, Preempt, RouterSpec};

/// An ordinary router on `eth0`: VRRPv3, IPv4, one second, one address that follows from its VRID.
pub(crate) fn ordinary(vrid: u8) -> RouterSpec {
    let interface = InterfaceName::new("eth0").expect("a legal name");
    RouterSpec {
        name: format!("r{vrid}").into(),
        key: RouterKey { interface, family: Family::Ipv4, vrid: Vrid::new(vrid).expect("not zero") },
        version: Version::V3,
        interval: Interval::DEFAULT,
        preempt: Preempt::After(Duration::ZERO),
        addresses: Arc::new([VirtualAddress::host(IpAddr::from([192, 0, 2, vrid]))]),
        excluded: Arc::new([]),
        routes: Arc::new([]),
        rules: Arc::new([]),
        accept: true,
        mac: MacMode::Interface,
        checksum: ChecksumChoice::Auto,
        peers: Arc::new([]),
        check_ttl: true,
        source: None,
        auth: Auth::None,
        announcing: Announcing::default(),
        lease: false,
        track_interface: true,
    }
}
