//! From the status to the metrics. Dashboards and alert rules are written against these names: add to them, never
//! rename.

use super::exposition::{Exposition, Form, Kind, Label};
use crate::control::{Document, HistogramDocument, RouterDocument};
use crate::vrrp::Role;

/// The counters that are samples of `vrrpd_errors_total`, by their name there and in the status.
const ERRORS: [&str; 19] = [
    "interval_errors",
    "address_list_errors",
    "invalid_type_received",
    "packet_length_errors",
    "checksum_errors",
    "invalid_auth_type",
    "auth_type_mismatch",
    "auth_failures",
    "auth_replays",
    "addr_count_errors",
    "first_address_errors",
    "interval_zero_errors",
    "owner_conflicts",
    "source_address_errors",
    "destination_errors",
    "send_errors",
    "ip_ttl_errors",
    "version_errors",
    "vrid_errors",
];

/// The counters that are samples of `vrrpd_transitions_total`, with their label `to`.
const TRANSITIONS: [(&str, Role); 3] =
    [("active_transitions", Role::Master), ("backup_transitions", Role::Backup), ("fault_transitions", Role::Fault)];

/// The counters that are families of their own, `vrrpd_NAME_total`.
const COUNTERS: [(&str, &str); 10] = [
    ("advertisements_sent", "Adverts sent, resignations included."),
    ("advertisements_received", "Adverts that passed every check, resignations included."),
    ("priority_zero_sent", "Resignations sent."),
    ("priority_zero_received", "Resignations received."),
    ("gratuitous_arp_sent", "Gratuitous ARP messages sent."),
    ("neighbor_advertisements_sent", "Unsolicited neighbour advertisements sent."),
    ("addresses_restored", "Addresses that somebody removed and that were put back."),
    ("routes_restored", "Routes and rules that somebody removed and that were put back."),
    ("answers_held_back", "Lower adverts that were not answered because of the limit on answers."),
    ("self_received", "Its own adverts heard."),
];

/// All metrics; without a status only the one that says so.
pub(super) fn render(status: Option<&Document>, form: Form) -> String {
    let mut out = Exposition::new(form);
    out.family("vrrpd_up", Kind::Gauge, "Whether the daemon answers.");
    out.sample(&[], u8::from(status.is_some()));
    if let Some(status) = status {
        daemon(status, &mut out);
        states(status, &mut out);
        routers(status, &mut out);
        counters(status, &mut out);
        errors(status, &mut out);
        tracks(status, &mut out);
        interfaces(status, &mut out);
    }
    out.finish()
}

fn daemon(status: &Document, out: &mut Exposition) {
    out.family("vrrpd_build", Kind::Info, "The daemon's version.");
    out.sample(&[("version", &status.version)], 1);
    out.family("vrrpd_config_generation", Kind::Gauge, "The number of the configuration in force, from 1.");
    out.sample(&[], status.config.generation);
    out.family("vrrpd_config_refused", Kind::Gauge, "Whether the last file read was refused, and an older one runs.");
    out.sample(&[], u8::from(status.config.refused.is_some()));
    out.family(
        "vrrpd_failover_overhead_seconds",
        Kind::Histogram,
        "From the moment the protocol allows a takeover to the first announcement.",
    );
    histogram(&status.metrics.failover_overhead_seconds, out);
    out.family("vrrpd_advert_lateness_seconds", Kind::Histogram, "How much after its time an advert was sent.");
    histogram(&status.metrics.advert_lateness_seconds, out);
}

fn histogram(histogram: &HistogramDocument, out: &mut Exposition) {
    for bucket in &histogram.buckets {
        // With a decimal point always, as OpenMetrics wants it.
        out.suffixed("_bucket", &[("le", &format!("{:?}", bucket.le))], bucket.count);
    }
    out.suffixed("_bucket", &[("le", "+Inf")], histogram.count);
    out.suffixed("_count", &[], histogram.count);
    out.suffixed("_sum", &[], histogram.sum);
}

/// Which virtual router a sample is about.
struct Identity<'a> {
    name: &'a str,
    interface: &'a str,
    family: &'a str,
    vrid: String,
}

impl<'a> Identity<'a> {
    fn of(router: &'a RouterDocument) -> Self {
        let RouterDocument { name, interface, family, virtual_router_id, .. } = router;
        Self { name, interface, family, vrid: virtual_router_id.to_string() }
    }

    fn labels(&self) -> [Label<'_>; 4] {
        [("router", self.name), ("interface", self.interface), ("family", self.family), ("vrid", &self.vrid)]
    }

    fn with<'b>(&'b self, name: &'b str, value: &'b str) -> [Label<'b>; 5] {
        let [router, interface, family, vrid] = self.labels();
        [router, interface, family, vrid, (name, value)]
    }
}

fn states(status: &Document, out: &mut Exposition) {
    out.family("vrrpd_state", Kind::StateSet, "The state of a virtual router.");
    for router in &status.virtual_routers {
        let identity = Identity::of(router);
        for role in [Role::Initialize, Role::Backup, Role::Master, Role::Fault] {
            out.sample(&identity.with("vrrpd_state", role.name()), u8::from(router.state == role.name()));
        }
    }
    out.family("vrrpd_transitions", Kind::Counter, "How often a virtual router entered a state.");
    for router in &status.virtual_routers {
        for (counter, to) in TRANSITIONS {
            let count = router.counters.get(counter).copied().unwrap_or_default();
            out.sample(&[("router", &router.name), ("to", to.name())], count);
        }
    }
    out.family("vrrpd_warning", Kind::Gauge, "A warning about a peer that is in force.");
    for router in &status.virtual_routers {
        let mut names: Vec<&str> = router.warnings.iter().map(|warning| &*warning.name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            out.sample(&Identity::of(router).with("warning", name), 1);
        }
    }
}

type Reading = fn(&RouterDocument) -> u64;

fn routers(status: &Document, out: &mut Exposition) {
    let gauges: [(&str, &str, Reading); 5] = [
        ("vrrpd_priority", "The effective priority.", |router| router.priority.into()),
        ("vrrpd_base_priority", "The priority as configured.", |router| router.base_priority.into()),
        ("vrrpd_held_addresses", "How many addresses it holds.", |router| {
            u64::try_from(router.held_addresses.len()).unwrap_or(u64::MAX)
        }),
        ("vrrpd_drained", "Whether an operator drained it: maintenance.", |router| router.drained.into()),
        ("vrrpd_ready", "Whether it is Master, drained, or a Backup that could take over.", |router| {
            router.is_healthy().into()
        }),
    ];
    for (name, help, read) in gauges {
        out.family(name, Kind::Gauge, help);
        for router in &status.virtual_routers {
            out.sample(&Identity::of(router).labels(), read(router));
        }
    }
}

fn counters(status: &Document, out: &mut Exposition) {
    for (counter, help) in COUNTERS {
        out.family(&format!("vrrpd_{counter}"), Kind::Counter, help);
        for router in &status.virtual_routers {
            let count = router.counters.get(counter).copied().unwrap_or_default();
            out.sample(&Identity::of(router).labels(), count);
        }
    }
}

/// Each packet is counted once: at the virtual router it was for, or at the interface it came in on.
fn errors(status: &Document, out: &mut Exposition) {
    out.family(
        "vrrpd_errors",
        Kind::Counter,
        "Packets that were wrong, and packets that could not be sent, by reason.",
    );
    for router in &status.virtual_routers {
        let identity = Identity::of(router);
        for (reason, count) in router.counters.iter().filter(|(name, _)| ERRORS.contains(&name.as_str())) {
            out.sample(&identity.with("reason", reason), count);
        }
    }
    for interface in &status.interfaces {
        for (reason, count) in interface.counters.iter().filter(|(name, _)| ERRORS.contains(&name.as_str())) {
            out.sample(&[("interface", &interface.name), ("reason", reason)], count);
        }
    }
}

fn tracks(status: &Document, out: &mut Exposition) {
    out.family("vrrpd_track_healthy", Kind::Gauge, "Whether a track is healthy; absent before its first answer.");
    for track in &status.tracks {
        if let Some(healthy) = track.healthy {
            out.sample(&[("track", &track.name)], u8::from(healthy));
        }
    }
    out.family("vrrpd_track_duration_seconds", Kind::Gauge, "How long the last run of a track took.");
    for track in &status.tracks {
        out.sample(&[("track", &track.name)], track.last_duration_ms / 1e3);
    }
    out.family("vrrpd_track_runs", Kind::Counter, "How often a track ran.");
    for track in &status.tracks {
        out.sample(&[("track", &track.name)], track.runs);
    }
    out.family("vrrpd_track_failures", Kind::Counter, "How often a track failed.");
    for track in &status.tracks {
        out.sample(&[("track", &track.name)], track.failures);
    }
}

fn interfaces(status: &Document, out: &mut Exposition) {
    out.family("vrrpd_interface_up", Kind::Gauge, "Whether an interface is there and up.");
    for interface in &status.interfaces {
        out.sample(&[("interface", &interface.name)], u8::from(interface.up));
    }
    out.family("vrrpd_filtered", Kind::Counter, "Packets dropped by the filter in the kernel (an estimate).");
    for interface in &status.interfaces {
        out.sample(&[("interface", &interface.name)], interface.counters.get("filtered").copied().unwrap_or_default());
    }
    out.family("vrrpd_counters_estimated", Kind::Gauge, "Whether counters of refused packets are of a sample.");
    for interface in &status.interfaces {
        out.sample(&[("interface", &interface.name)], u8::from(interface.counters_estimated));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::PortCounters;
    use crate::vrrp::RouterCounters;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn status() -> Value {
        serde_json::from_str(include_str!("../../tests/exporter/status.json")).unwrap()
    }

    fn rendered(status: Value) -> String {
        render(Some(&serde_json::from_value(status).unwrap()), Form::OpenMetrics)
    }

    const WEB: &str = r#"router="web",interface="eth0",family="ipv4",vrid="51""#;

    /// Each row: what is changed in the status, to what, and a line that the metrics then have and did not before.
    fn changes() -> Vec<(&'static str, Value, String)> {
        let web = |name: &str, value: &str| format!("vrrpd_{name}{{{WEB}}} {value}");
        let counter = |name: &'static str| format!("/virtual_routers/0/counters/{name}");
        let mut rows = vec![
            ("/version", json!("9.9.9"), r#"vrrpd_build_info{version="9.9.9"} 1"#.to_owned()),
            ("/config/generation", json!(7), "vrrpd_config_generation 7".to_owned()),
            ("/config/refused", json!("2026-01-01T00:00:09Z"), "vrrpd_config_refused 1".to_owned()),
            (
                "/metrics/failover_overhead_seconds/count",
                json!(5),
                "vrrpd_failover_overhead_seconds_count 5".to_owned(),
            ),
            (
                "/metrics/failover_overhead_seconds/buckets/3/count",
                json!(77),
                r#"vrrpd_failover_overhead_seconds_bucket{le="0.001"} 77"#.to_owned(),
            ),
            ("/metrics/advert_lateness_seconds/sum", json!(0.5), "vrrpd_advert_lateness_seconds_sum 0.5".to_owned()),
            ("/virtual_routers/0/state", json!("FAULT"), format!(r#"vrrpd_state{{{WEB},vrrpd_state="FAULT"}} 1"#)),
            ("/virtual_routers/0/priority", json!(81), web("priority", "81")),
            ("/virtual_routers/0/base_priority", json!(101), web("base_priority", "101")),
            ("/virtual_routers/0/held_addresses", json!([]), web("held_addresses", "0")),
            ("/virtual_routers/0/drained", json!(true), web("drained", "1")),
            ("/virtual_routers/0/state", json!("FAULT"), web("ready", "0")),
            (
                "/virtual_routers/0/warnings/0/name",
                json!("owner_conflicts"),
                format!(r#"vrrpd_warning{{{WEB},warning="owner_conflicts"}} 1"#),
            ),
            ("/tracks/0/healthy", json!(true), r#"vrrpd_track_healthy{track="nginx"} 1"#.to_owned()),
            (
                "/tracks/0/last_duration_ms",
                json!(250),
                r#"vrrpd_track_duration_seconds{track="nginx"} 0.25"#.to_owned(),
            ),
            ("/tracks/0/runs", json!(13), r#"vrrpd_track_runs_total{track="nginx"} 13"#.to_owned()),
            ("/tracks/0/failures", json!(4), r#"vrrpd_track_failures_total{track="nginx"} 4"#.to_owned()),
            ("/interfaces/0/up", json!(false), r#"vrrpd_interface_up{interface="eth0"} 0"#.to_owned()),
            ("/interfaces/0/counters/filtered", json!(8), r#"vrrpd_filtered_total{interface="eth0"} 8"#.to_owned()),
            (
                "/interfaces/0/counters_estimated",
                json!(true),
                r#"vrrpd_counters_estimated{interface="eth0"} 1"#.to_owned(),
            ),
            (
                "/interfaces/0/counters/vrid_errors",
                json!(8),
                r#"vrrpd_errors_total{interface="eth0",reason="vrid_errors"} 8"#.to_owned(),
            ),
        ];
        for (name, to) in TRANSITIONS {
            let line = format!(r#"vrrpd_transitions_total{{router="web",to="{}"}} 99"#, to.name());
            rows.push((counter(name).leak(), json!(99), line));
        }
        for (name, _) in COUNTERS {
            rows.push((counter(name).leak(), json!(99), web(&format!("{name}_total"), "99")));
        }
        for name in ERRORS.into_iter().filter(|name| status().pointer(&counter(name)).is_some()) {
            rows.push((counter(name).leak(), json!(99), format!(r#"vrrpd_errors_total{{{WEB},reason="{name}"}} 99"#)));
        }
        rows
    }

    fn families(text: &str) -> BTreeSet<String> {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_metric_changes_with_the_status() {
        let before = rendered(status());
        let mut seen: BTreeSet<String> = BTreeSet::from(["vrrpd_up".to_owned()]);
        for (pointer, value, line) in changes() {
            let mut changed = status();
            *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
            let after = rendered(changed);
            assert!(!before.lines().any(|known| known == line), "{line} stood there before");
            assert!(after.lines().any(|known| known == line), "{pointer}: no {line} in\n{after}");
            let longest = families(&after).into_iter().filter(|family| line.starts_with(family.as_str()));
            seen.extend(longest.max_by_key(String::len));
        }
        assert_eq!(seen, families(&before), "a family has no row here");
    }

    #[test]
    fn without_a_daemon_there_is_only_the_word_of_it() {
        let text = render(None, Form::OpenMetrics);
        assert!(text.ends_with("\nvrrpd_up 0\n# EOF\n"), "{text}");
        assert!(rendered(status()).contains("\nvrrpd_up 1\n"));
        assert_eq!(families(&text).len(), 1);
    }

    #[test]
    fn every_counter_has_its_place_and_only_one() {
        let names = |counters: Value| counters.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let router = names(serde_json::to_value(RouterCounters::default()).unwrap());
        let port = names(serde_json::to_value(PortCounters::default()).unwrap());
        for name in router.iter().chain(&port).filter(|name| *name != "filtered") {
            let places = [
                ERRORS.contains(&name.as_str()),
                COUNTERS.iter().any(|(known, _)| known == name),
                TRANSITIONS.iter().any(|(known, _)| known == name),
            ];
            assert_eq!(places.iter().filter(|place| **place).count(), 1, "{name}");
        }
    }

    #[test]
    fn a_track_that_has_not_answered_is_neither_healthy_nor_failing() {
        let mut unknown = status();
        unknown["tracks"][0]["healthy"] = Value::Null;
        assert!(!rendered(unknown).contains("vrrpd_track_healthy{"));
    }
}
