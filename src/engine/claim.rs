//! Who else answers for a virtual address: ARP and neighbour advertisements that say that an address, which a Master
//! here holds, is at the MAC address of a stranger.
//!
//! A stranger is neither an interface of this host (which may have several in one segment) nor the virtual router's own
//! virtual MAC address. What counts is what the packet says, not who sent the frame: switches answer for others, with the
//! others' MAC addresses.

use super::Engine;
use super::oddity::Oddity;
use crate::ids::{InterfaceName, RouterId};
use crate::time::Timestamp;
use crate::units::Family;
use crate::vrrp::{Effects, MacMode, Role, Router};
use pnet_base::MacAddr;
use std::net::IpAddr;
use std::time::Duration;

/// How long a Master disregards claims at least, and otherwise for its down interval: the previous Master's last words
/// are no news, and a packet may have waited for a second before it was read.
const SETTLING: Duration = Duration::from_secs(3);

impl Engine {
    pub(super) fn on_claim(&mut self, interface: &InterfaceName, address: IpAddr, mac: MacAddr, out: &mut Effects<'_>) {
        if self.links.has_mac(mac) {
            return;
        }
        let routers = self.slots.iter().flatten().map(|slot| &slot.router);
        let disputed = routers.filter(|router| router.spec().key.interface == *interface);
        let disputed = disputed.filter(|router| is_settled(router, out.now()) && !is_virtual_mac(router, mac));
        let disputed = disputed.filter(|router| router.spec().held().any(|held| held.ip == address));
        let disputed: Vec<RouterId> = disputed.map(Router::id).collect();
        for id in disputed {
            let port = self.slot(id).router.port();
            self.note(port, id, Oddity::AddressClaimed { mac }, address, out);
        }
    }
}

fn is_settled(router: &Router, now: Timestamp) -> bool {
    let (role, since, _) = router.standing_since();
    let spec = router.spec();
    let down = router.priority().map(|priority| spec.interval.down(spec.version, priority));
    role == Role::Master && now - since >= down.unwrap_or_default().max(SETTLING)
}

/// Whether it is the virtual MAC address that stands for this router's addresses of either family.
fn is_virtual_mac(router: &Router, mac: MacAddr) -> bool {
    let spec = router.spec();
    let ours = |family: Family| MacAddr::from(spec.key.vrid.mac(family)) == mac;
    spec.mac == MacMode::Virtual && (ours(Family::Ipv4) || ours(Family::Ipv6))
}
