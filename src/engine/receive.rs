//! What becomes of a packet: the checks of RFC 9568, 7.1 with errata 8298 to 8301, and of RFC 3768, 7.1, in their
//! order. The first check that fails decides the counter; a packet that fails changes no state and no timer.

use super::Engine;
use super::oddity::Oddity;
use super::warnings::warn;
use crate::ids::{PortId, RouterId};
use crate::units::{Family, Priority, Version, Vrid};
use crate::vrrp::{Auth, Effects, HmacMode, Role, Router, apart};
use crate::wire::trailer::Trailer;
use crate::wire::{Advert, DecodeError, Packet, Rejection, Standing, auth};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

impl Engine {
    pub(super) fn on_packet(&mut self, port: PortId, packet: &Packet<'_>, out: &mut Effects<'_>) {
        let advert = match self.decode(port, packet) {
            Ok(advert) => advert,
            Err(rejection) => return self.reject(port, rejection, packet.source, out),
        };
        let Some(id) = self.links.router(port, advert.vrid) else {
            return self.on_stranger(port, advert.vrid, packet.source, out);
        };
        if let Err(oddity) = self.judge(id, packet, &advert) {
            return self.discard(port, id, oddity, packet.source, out);
        }
        let Some(interval) = advert.interval() else {
            return self.discard(port, id, Oddity::IntervalZero, packet.source, out);
        };
        self.admit(id, packet.source, &advert, out);
        let was = self.slot(id).router.role();
        let mut stalled = None;
        self.step(id, out, |router, out| {
            stalled = router.notice_stall(out);
            router.on_advert(packet.source, advert.standing, interval, out);
        });
        self.stalled = self.stalled.max(stalled);
        if (was, self.slot(id).router.role()) == (Role::Master, Role::Backup) && self.slot_mut(id).flaps.note(out.now())
        {
            self.note(port, id, Oddity::Flapping, packet.source, out);
        }
    }

    fn decode<'a>(&self, port: PortId, packet: &Packet<'a>) -> Result<Advert<'a>, Rejection> {
        let routed = packet.ttl != 255 && packet.vrid().is_some_and(|vrid| self.takes_any_ttl(port, vrid));
        if routed { Advert::decode_any_ttl(packet) } else { Advert::decode(packet) }
    }

    fn takes_any_ttl(&self, port: PortId, vrid: Vrid) -> bool {
        self.links.router(port, vrid).is_some_and(|id| !self.slot(id).router.spec().check_ttl)
    }

    fn reject(&mut self, port: PortId, rejection: Rejection, from: IpAddr, out: &mut Effects<'_>) {
        let router = rejection.vrid.and_then(|vrid| self.links.router(port, vrid));
        let interface = self.links.counters(port);
        match (rejection.error, router) {
            (DecodeError::Ttl(_), _) => bump(interface.map(|c| &mut c.ip_ttl_errors)),
            (DecodeError::Version(_), _) => bump(interface.map(|c| &mut c.version_errors)),
            (DecodeError::VridZero, _) => bump(interface.map(|c| &mut c.vrid_errors)),
            (DecodeError::Length { .. }, None) => bump(interface.map(|c| &mut c.packet_length_errors)),
            (DecodeError::Type(_), None) => bump(interface.map(|c| &mut c.invalid_type_received)),
            (DecodeError::Checksum, None) => bump(interface.map(|c| &mut c.checksum_errors)),
            (DecodeError::Length { .. }, Some(id)) => self.slot_mut(id).router.counters.packet_length_errors += 1,
            (DecodeError::Type(_), Some(id)) => self.slot_mut(id).router.counters.invalid_type_received += 1,
            (DecodeError::Checksum, Some(id)) => self.slot_mut(id).router.counters.checksum_errors += 1,
        }
        let name = match rejection.error {
            DecodeError::Ttl(_) => "ip_ttl_errors",
            DecodeError::Version(_) => "version_errors",
            DecodeError::VridZero => "vrid_errors",
            DecodeError::Length { .. } => "packet_length_errors",
            DecodeError::Type(_) => "invalid_type_received",
            DecodeError::Checksum => "checksum_errors",
        };
        if self.warnings.permits(port, router, name, from, out.now()) {
            let subject = self.subject_of(port, router);
            warn(subject, name, from, &rejection.error.to_string(), out);
        }
    }

    /// An advert for a virtual router that is not configured here.
    fn on_stranger(&mut self, port: PortId, vrid: Vrid, from: IpAddr, out: &mut Effects<'_>) {
        bump(self.links.counters(port).map(|c| &mut c.vrid_errors));
        if self.warnings.permits(port, None, "vrid_errors", from, out.now()) {
            let subject = self.subject_of(port, None);
            let detail = format!("virtual router {vrid} is not configured on this interface");
            warn(subject, "vrid_errors", from, &detail, out);
        }
    }

    /// The mandatory checks of a decoded advert against the virtual router it is for.
    fn judge(&mut self, id: RouterId, packet: &Packet<'_>, advert: &Advert<'_>) -> Result<(), Oddity> {
        let wall = self.wall_seconds();
        let router = &mut self.slot_mut(id).router;
        let spec = router.spec();
        if advert.version != spec.version {
            return Err(Oddity::Version { theirs: advert.version.number(), ours: spec.version.number() });
        }
        if router.source() == Some(packet.source) {
            return Err(Oddity::Own);
        }
        judge_addresses(packet, &spec.peers, spec.key.family)?;
        match advert.version {
            Version::V2 => authenticate(router, packet, advert)?,
            Version::V3 => check_trailer(router, packet, advert, wall)?,
        }
        let Some(first) = advert.addresses().next() else { return Err(Oddity::NoAddresses) };
        if matches!(first, IpAddr::V6(ip) if !ip.is_unicast_link_local()) {
            return Err(Oddity::FirstAddress);
        }
        let ours = router.spec().interval.centis();
        match advert.interval_centis {
            0 if advert.version == Version::V3 => Err(Oddity::IntervalZero),
            theirs if advert.version == Version::V2 && theirs != ours => {
                Err(Oddity::IntervalRefused { theirs_centis: theirs, ours_centis: ours })
            }
            // RFC 3768, 7.1: only an owner's word on its addresses counts for more than the configuration.
            _ if advert.version == Version::V2
                && advert.standing != Standing::Holding(Priority::OWNER)
                && !same_addresses(advert, &router.spec().advertised()) =>
            {
                Err(Oddity::AddressListRefused)
            }
            _ => Ok(()),
        }
    }

    /// The wall clock as trailers have it: seconds since 1970 modulo 2^32.
    fn wall_seconds(&self) -> u32 {
        let since_1970 = self.wall_origin + self.now.since_origin();
        u32::try_from(since_1970.as_secs() & u64::from(u32::MAX)).expect("masked to 32 bits")
    }

    /// Counts an advert that passed, and warns of what is odd about it without being wrong.
    fn admit(&mut self, id: RouterId, from: IpAddr, advert: &Advert<'_>, out: &mut Effects<'_>) {
        let router = &mut self.slot_mut(id).router;
        router.note_peer(advert.standing, advert.checksum);
        let spec = router.spec();
        let priority = router.priority();
        let ours = spec.interval.centis();
        let differs = advert.interval_centis != ours;
        let oddities = [
            (priority.is_some_and(|ours| ours.is_owner() && advert.standing == Standing::Holding(ours)))
                .then_some(Oddity::OwnerConflict),
            differs.then_some(Oddity::IntervalDiffers { theirs_centis: advert.interval_centis, ours_centis: ours }),
            (!same_addresses(advert, &spec.advertised())).then_some(Oddity::AddressListDiffers),
            (priority.is_some_and(|ours| !ours.is_owner() && advert.standing == Standing::Holding(ours)))
                .then_some(Oddity::EqualPriority),
        ];
        let port = router.port();
        for oddity in oddities.into_iter().flatten() {
            self.note(port, id, oddity, from, out);
        }
    }

    fn discard(&mut self, port: PortId, id: RouterId, oddity: Oddity, from: IpAddr, out: &mut Effects<'_>) {
        if let Oddity::Version { .. } = oddity {
            bump(self.links.counters(port).map(|c| &mut c.version_errors));
        }
        self.note(port, id, oddity, from, out);
    }

    pub(super) fn note(&mut self, port: PortId, id: RouterId, oddity: Oddity, from: IpAddr, out: &mut Effects<'_>) {
        bump(oddity.counter(&mut self.slot_mut(id).router.counters));
        if oddity != Oddity::Own {
            let interval = self.slot(id).router.spec().interval.duration();
            self.warnings.note(id, oddity, from, oddity.spacing(interval), out.now());
        }
        if oddity != Oddity::Own && self.warnings.permits(port, Some(id), oddity.name(), from, out.now()) {
            let subject = self.subject_of(port, Some(id));
            warn(subject, oddity.name(), from, &oddity.to_string(), out);
        }
    }
}

fn bump(counter: Option<&mut u64>) {
    if let Some(counter) = counter {
        *counter += 1;
    }
}

/// Multicast routers take what was sent to the group, unicast routers what comes from a peer.
fn judge_addresses(packet: &Packet<'_>, peers: &[IpAddr], family: Family) -> Result<(), Oddity> {
    let link_local = match packet.source {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if !peers.is_empty() {
        return if peers.contains(&packet.source) { Ok(()) } else { Err(Oddity::Source) };
    }
    let group = match family {
        Family::Ipv4 => IpAddr::V4(GROUP_V4),
        Family::Ipv6 => IpAddr::V6(GROUP_V6),
    };
    match (link_local, packet.destination == group) {
        (false, _) => Err(Oddity::Source),
        (true, false) => Err(Oddity::Destination),
        (true, true) => Ok(()),
    }
}

/// VRRPv2 authentication (RFC 2338, 5.3.6).
fn authenticate(router: &mut Router, packet: &Packet<'_>, advert: &Advert<'_>) -> Result<(), Oddity> {
    let theirs = advert.auth.map_or(0, |auth| auth.kind);
    let ours = router.spec().auth.kind();
    if theirs > 2 {
        return Err(Oddity::InvalidAuthType(theirs));
    }
    if theirs != ours {
        return Err(Oddity::AuthTypeMismatch { theirs, ours });
    }
    match &router.spec().auth {
        // The configuration admits a trailer for VRRPv3 only.
        Auth::None | Auth::Hmac(_) => Ok(()),
        Auth::Password(password) => {
            let given = advert.auth.map(|auth| auth.data).unwrap_or_default();
            // Every octet is looked at whatever the ones before it say.
            let difference = given.iter().zip(password).fold(0, |sum, (a, b)| sum | (a ^ b));
            if difference == 0 { Ok(()) } else { Err(Oddity::AuthFailure) }
        }
        Auth::Ah { key, flavour } => {
            let verified = auth::verify(packet, &key.0, *flavour).map_err(|_| Oddity::AuthFailure)?;
            if router.take_sequence(verified.sequence) { Ok(()) } else { Err(Oddity::Replay) }
        }
    }
}

/// keepalived's trailer: the key has to be known, the stamp near our clock, the digest right, and the sequence new.
fn check_trailer(router: &mut Router, packet: &Packet<'_>, advert: &Advert<'_>, wall: u32) -> Result<(), Oddity> {
    let (auth, octets) = match (&router.spec().auth, advert.trailer) {
        (Auth::Hmac(auth), Some(octets)) => (auth, octets),
        (Auth::Hmac(auth), None) if auth.mode == HmacMode::Enforce => return Err(Oddity::Unsigned),
        (_, None) => return Ok(()),
        (_, Some(_)) => return Err(Oddity::Trailer),
    };
    let claimed = Trailer::read(octets).map_err(|_| Oddity::AuthFailure)?;
    let key = auth.key(claimed.key_id).ok_or(Oddity::KeyUnknown(claimed.key_id))?;
    if !auth.admits(claimed.seconds(), wall) {
        return Err(Oddity::Window(apart(claimed.seconds(), wall)));
    }
    let verified = Trailer::verify(packet, &key.secret.0).map_err(|_| Oddity::AuthFailure)?;
    if router.take_trailer(packet.source, verified, wall) { Ok(()) } else { Err(Oddity::Replay) }
}

/// Whether the advert lists the same addresses in any order (RFC 9568, 7.1).
fn same_addresses(advert: &Advert<'_>, ours: &(impl Iterator<Item = IpAddr> + Clone)) -> bool {
    let in_order = advert.addresses().eq(ours.clone());
    in_order
        || (advert.count() == ours.clone().count()
            && ours.clone().all(|mine| advert.addresses().any(|theirs| theirs == mine)))
}
