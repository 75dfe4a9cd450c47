//! `[virtual_router.NAME]`: its keys, and what has to fit together within one router.

use super::addresses::{self, AddressDraft};
use super::auth;
use super::candidacy::CandidacyDraft;
use super::diagnostic::Diagnostics;
use super::host::Context;
use super::keys::VIRTUAL_ROUTER;
use super::reader::{At, Fields};
use super::source::Place;
use super::track::TrackDraft;
use super::tree::Entry;
use super::value::spelled;
use crate::ids::{InterfaceName, RouterKey};
use crate::units::{Family, Interval, Version, VirtualAddress, Vrid};
use crate::vrrp::{Announcing, Auth, ChecksumChoice, MacMode, Preempt, RouterSpec, VirtualRoute, VirtualRule};
use crate::wire::ChecksumForm;
use std::sync::Arc;
use std::time::Duration;

/// One router as far as its own table tells.
pub(super) struct RouterDraft {
    pub name: Arc<str>,
    pub place: Place,
    pub interface: Option<At<InterfaceName>>,
    pub vrid: Option<At<Vrid>>,
    pub addresses: Vec<At<VirtualAddress>>,
    pub excluded: Vec<At<VirtualAddress>>,
    pub candidacy: CandidacyDraft,
    /// The keys of `candidacy` that it has, with their places.
    pub candidacy_keys: Vec<(&'static str, Place)>,
    /// `None` where something that it cannot do without is missing or wrong.
    pub spec: Option<Arc<RouterSpec>>,
}

const CHECKSUMS: [(&str, ChecksumChoice); 3] = [
    ("auto", ChecksumChoice::Auto),
    ("rfc9568", ChecksumChoice::Always(ChecksumForm::Rfc9568)),
    ("rfc5798", ChecksumChoice::Always(ChecksumForm::Rfc5798)),
];

const MACS: [(&str, MacMode); 2] = [("interface", MacMode::Interface), ("virtual", MacMode::Virtual)];

pub(super) fn read(
    entry: &Entry,
    tracks: &[TrackDraft],
    context: &Context<'_>,
    report: &mut Diagnostics,
) -> Option<RouterDraft> {
    let fields = Fields::of(entry, &VIRTUAL_ROUTER, report)?;
    let name: Arc<str> = entry.key.as_str().into();
    let interface = fields.require("interface", report);
    let vrid = vrid(&fields, report);
    let version = version(&fields, report);
    let AddressDraft { advertised, excluded, peers, source, family } = addresses::read(&fields, version.value, report);
    let candidacy = CandidacyDraft::read(&fields, tracks, report);
    let checksum = checksum(&fields, version.value, family, report);
    let mac = fields.choice("mac", &MACS, report).map_or_else(MacMode::default, |at| at.value);
    let routes = virtual_routes(&fields, interface.as_ref(), report);
    let rules: Vec<VirtualRule> = fields.take("virtual_rules", report).unwrap_or_default();
    let interval = interval(&fields, version.value, report);
    let spec = RouterSpec {
        name: name.clone(),
        // Stands in until the parts without which there is no router are known to be there, at the end.
        key: RouterKey {
            interface: InterfaceName::new("lo")?,
            family: family.unwrap_or(Family::Ipv4),
            vrid: Vrid::new(1)?,
        },
        version: version.value,
        interval,
        preempt: preempt(&fields, report),
        addresses: advertised.iter().map(|at| at.value).collect(),
        excluded: excluded.iter().map(|at| at.value).collect(),
        routes: routes.into(),
        rules: rules.into(),
        accept: flag(&fields, "accept", true, report),
        mac,
        checksum,
        check_ttl: check_ttl(&fields, report),
        peers: peers.into(),
        source,
        auth: authentication(&fields, version.value, interval, context, report),
        announcing: announcing(&fields, report),
        lease: flag(&fields, "lease", true, report),
        track_interface: flag(&fields, "track_interface", true, report),
    };
    let key = key(interface.as_ref(), family, vrid.as_ref());
    let complete = key.filter(|_| !advertised.is_empty()).map(|key| Arc::new(RouterSpec { key, ..spec }));
    let candidacy_keys = super::candidacy::KEYS
        .iter()
        .filter_map(|key| fields.entry(key).map(|entry| (*key, entry.key_place)))
        .collect();
    Some(RouterDraft {
        name,
        place: entry.key_place,
        interface,
        vrid,
        addresses: advertised,
        excluded,
        candidacy,
        candidacy_keys,
        spec: complete,
    })
}

fn key(interface: Option<&At<InterfaceName>>, family: Option<Family>, vrid: Option<&At<Vrid>>) -> Option<RouterKey> {
    Some(RouterKey { interface: interface?.value.clone(), family: family?, vrid: vrid?.value })
}

/// A route without a next hop is on the link of the router's own interface, unless it says otherwise.
fn virtual_routes(
    fields: &Fields<'_>,
    interface: Option<&At<InterfaceName>>,
    report: &mut Diagnostics,
) -> Vec<VirtualRoute> {
    let mut routes: Vec<VirtualRoute> = fields.take("virtual_routes", report).unwrap_or_default();
    for route in routes.iter_mut().filter(|route| route.via.is_none() && route.device.is_none()) {
        route.device = interface.map(|at| at.value.clone());
    }
    routes
}

fn flag(fields: &Fields<'_>, key: &'static str, default: bool, report: &mut Diagnostics) -> bool {
    fields.take(key, report).unwrap_or(default)
}

fn vrid(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<At<Vrid>> {
    if !fields.present("virtual_router_id", report) {
        return None;
    }
    let At { value, place } = fields.number::<u8>("virtual_router_id", 1..=255, report)?;
    Vrid::new(value).map(|value| At { value, place })
}

fn version(fields: &Fields<'_>, report: &mut Diagnostics) -> At<Version> {
    let number = fields.number::<u8>("version", 2..=3, report);
    let value = if number.as_ref().is_some_and(|at| at.value == 2) { Version::V2 } else { Version::V3 };
    At { value, place: number.map_or(fields.place, |at| at.place) }
}

fn interval(fields: &Fields<'_>, version: Version, report: &mut Diagnostics) -> Interval {
    let Some(At { value, place }) = fields.take::<At<Duration>>("advert_interval", report) else {
        return Interval::DEFAULT;
    };
    let exact = match version {
        Version::V3 if value.as_nanos().is_multiple_of(10_000_000) => {
            u16::try_from(value.as_millis() / 10).ok().and_then(Interval::from_centis)
        }
        Version::V2 if value.subsec_nanos() == 0 => u8::try_from(value.as_secs()).ok().and_then(Interval::from_seconds),
        _ => None,
    };
    exact.unwrap_or_else(|| {
        let range = match version {
            Version::V3 => "10ms to 40.95s in steps of 10ms",
            Version::V2 => "1s to 255s in whole seconds with version 2",
        };
        report.error(place, format!("advert_interval must be {range}")).help(neighbours(value, version));
        Interval::DEFAULT
    })
}

/// The nearest intervals that the version can carry.
fn neighbours(wanted: Duration, version: Version) -> String {
    let (step, greatest) = match version {
        Version::V3 => (Duration::from_millis(10), Interval::MAX_V3.duration()),
        Version::V2 => (Duration::from_secs(1), Duration::from_secs(255)),
    };
    let above = wanted.as_nanos().div_ceil(step.as_nanos()) * step.as_nanos();
    let above = u64::try_from(above).map_or(greatest, Duration::from_nanos).clamp(step, greatest);
    let below = if above > wanted { above.saturating_sub(step).max(step) } else { above };
    if above == below {
        format!("the nearest is \"{}\"; it is never rounded", spelled(above))
    } else {
        format!("write \"{}\" or \"{}\"; it is never rounded", spelled(below), spelled(above))
    }
}

fn preempt(fields: &Fields<'_>, report: &mut Diagnostics) -> Preempt {
    let delay: Option<At<Duration>> = fields.take("preempt_delay", report);
    if flag(fields, "preempt", true, report) {
        return Preempt::After(delay.map_or(Duration::ZERO, |at| at.value));
    }
    if let Some(at) = delay.filter(|at| !at.value.is_zero()) {
        report.warning(at.place, "preempt_delay has no effect with preempt = false").help("remove one of the two");
    }
    Preempt::Never
}

fn checksum(fields: &Fields<'_>, version: Version, family: Option<Family>, report: &mut Diagnostics) -> ChecksumChoice {
    let Some(At { value, place }) = fields.choice("checksum", &CHECKSUMS, report) else { return ChecksumChoice::Auto };
    if version == Version::V2 || family == Some(Family::Ipv6) {
        report
            .warning(place, "checksum has no effect here")
            .help("only the checksum of IPv4 VRRPv3 comes in two forms: remove it");
    }
    value
}

fn check_ttl(fields: &Fields<'_>, report: &mut Diagnostics) -> bool {
    let Some(At { value, place }) = fields.take::<At<bool>>("check_ttl", report) else { return true };
    if !value && !fields.has("unicast_peers") {
        report
            .error(place, "check_ttl = false is for unicast_peers only")
            .help("multicast adverts are never forwarded, so that a TTL other than 255 means forgery: remove it");
        return true;
    }
    if !value {
        report.warning(place, "adverts from behind a router are taken too").help(
            "anybody who can forge a peer's address can then take part: let a firewall see to it that nobody can",
        );
    }
    value
}

fn authentication(
    fields: &Fields<'_>,
    version: Version,
    interval: Interval,
    context: &Context<'_>,
    report: &mut Diagnostics,
) -> Auth {
    let Some(entry) = fields.entry("authentication") else { return Auth::None };
    let Some(draft) = auth::read(entry, report) else { return Auth::None };
    match version {
        Version::V3 if !draft.is_hmac() => {
            report
                .error(draft.place, "this authentication is for version 2 only")
                .help("VRRPv3 has none (RFC 9568, 9): remove it; between unicast_peers there is type = \"hmac\"");
            return Auth::None;
        }
        Version::V2 if draft.is_hmac() => {
            report
                .error(draft.place, "type \"hmac\" is for version 3 only")
                .help("write type = \"ah\", or remove version = 2 on every host of the pair");
            return Auth::None;
        }
        Version::V3 if !fields.has("unicast_peers") => {
            report.error(draft.place, "type \"hmac\" is for unicast_peers only").help(
                "what each peer sent last is remembered, so they have to be known: add unicast_peers, or remove it",
            );
            return Auth::None;
        }
        Version::V2 | Version::V3 => {}
    }
    if draft.is_password() {
        report
            .warning(draft.place, "a password is sent in clear text with every advert")
            .help("it guards against a slip, not against an attacker on the network: rely on the network for that");
    }
    draft.resolve(interval, context, report)
}

fn announcing(fields: &Fields<'_>, report: &mut Diagnostics) -> Announcing {
    let default = Announcing::default();
    let refresh: Option<At<Duration>> = fields.take("garp_refresh", report);
    let refresh = refresh.map(|at| {
        if !at.value.is_zero() && at.value < Duration::from_secs(1) {
            report
                .error(at.place, "garp_refresh must be at least 1s, or \"0s\" for never")
                .help("every address is announced each time: \"60s\" is usual");
        }
        Some(at.value).filter(|refresh| !refresh.is_zero())
    });
    Announcing {
        repeat: fields.number("garp_repeat", 1..=255, report).map_or(default.repeat, |at| at.value),
        interval: fields.take("garp_interval", report).unwrap_or(default.interval),
        refresh: refresh.unwrap_or(default.refresh),
    }
}
