//! Good files and the plan that becomes of them.

use crate::{good, router_with, track_with};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use vrrpd::config::{DaemonSettings, Hook, LogLevel};
use vrrpd::engine::{Attachment, Check, HttpCheck, TrackerSpec, Weight};
use vrrpd::ids::InterfaceName;
use vrrpd::units::{Family, Interval, Version};
use vrrpd::vrrp::{
    AhFlavour, Announcing, Auth, ChecksumChoice, HmacKey, HmacMode, MacMode, Preempt, RouterSpec, Secret,
};
use vrrpd::wire::ChecksumForm;

fn router(line: &str) -> RouterSpec {
    (*good(&router_with(line)).plan.groups[0].members[0]).clone()
}

fn track(lines: &str) -> TrackerSpec {
    (*good(&track_with(lines)).plan.trackers[0]).clone()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn interface(name: &str) -> InterfaceName {
    InterfaceName::new(name).expect("a name")
}

#[test]
fn a_router_has_the_defaults_of_the_contract() {
    let spec = router("");
    assert_eq!((&*spec.name, spec.key.interface.as_str(), spec.key.vrid.get()), ("web", "eth0", 51));
    assert_eq!((spec.key.family, spec.version, spec.interval), (Family::Ipv4, Version::V3, Interval::DEFAULT));
    assert_eq!(spec.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.10/24"]);
    assert_eq!(
        (spec.preempt, spec.mac, spec.checksum),
        (Preempt::After(Duration::ZERO), MacMode::Interface, ChecksumChoice::Auto)
    );
    assert_eq!((spec.accept, spec.lease, spec.check_ttl, spec.track_interface), (true, true, true, true));
    assert_eq!((spec.auth, spec.announcing), (Auth::None, Announcing::default()));
    assert!(spec.excluded.is_empty() && spec.peers.is_empty() && spec.source.is_none());
}

#[test]
fn an_empty_file_has_the_daemons_defaults() {
    let loaded = good("");
    assert_eq!(loaded.daemon, DaemonSettings::default());
    assert!(loaded.plan.groups.is_empty());
    assert_eq!(loaded.warnings.to_string(), "vrrpd.toml: warning: there is no virtual_router, so nothing would run\n");
}

#[test]
fn every_key_of_the_daemon() {
    let loaded = good(
        r#"
        [daemon]
        control_socket = "/tmp/c.sock"
        control_group = "wheel"
        script_user = "checker"
        realtime_priority = 20
        log_level = "debug"
        log_format = "text"
        startup_delay = "5s"
        state_directory = "/tmp/state"
        [track.t]
        script = ["/bin/true"]
        [virtual_router.web]
        interface = "eth0"
        virtual_router_id = 51
        virtual_addresses = ["192.0.2.10"]
        track = { t = -20 }
        "#,
    );
    let expected = DaemonSettings {
        control_socket: PathBuf::from("/tmp/c.sock"),
        control_group: "wheel".into(),
        script_user: "checker".into(),
        realtime_priority: Some(20),
        log_level: LogLevel::Debug,
        startup_delay: Duration::from_secs(5),
        state_directory: PathBuf::from("/tmp/state"),
        ..DaemonSettings::default()
    };
    assert_eq!(loaded.daemon, expected);
    assert_eq!(loaded.plan.startup_delay, Duration::from_secs(5));
    let user = Check::Script { argv: vec!["/bin/true".to_owned()].into(), user: "checker".into() };
    assert_eq!(loaded.plan.trackers[0].check, user, "scripts run as script_user");
    assert_eq!(loaded.plan.groups[0].members[0].addresses[0].prefix, 32, "the default is a host route");
}

#[test]
fn every_key_of_a_router() {
    assert_eq!(router("version = 2").version, Version::V2);
    assert_eq!(router("advert_interval = \"40.95s\"").interval, Interval::MAX_V3);
    assert_eq!(router("advert_interval = \"10ms\"").interval.centis(), 1);
    assert_eq!(router("version = 2\nadvert_interval = \"255s\"").interval.whole_seconds(), Some(255));
    assert_eq!(router("preempt = false").preempt, Preempt::Never);
    assert_eq!(router("preempt_delay = \"30s\"").preempt, Preempt::After(Duration::from_secs(30)));
    assert!(router("accept = true").accept);
    assert_eq!(router("mac = \"interface\"").mac, MacMode::Interface);
    for (word, form) in [("rfc9568", ChecksumForm::Rfc9568), ("rfc5798", ChecksumForm::Rfc5798)] {
        assert_eq!(router(&format!("checksum = \"{word}\"")).checksum, ChecksumChoice::Always(form));
    }
    assert_eq!(router("checksum = \"auto\"").checksum, ChecksumChoice::Auto);
    assert_eq!(*router("unicast_peers = [\"192.0.2.2\"]").peers, [ip("192.0.2.2")]);
    assert!(!router("unicast_peers = [\"192.0.2.2\"]\ncheck_ttl = false").check_ttl);
    assert_eq!(router("source_address = \"192.0.2.1\"").source, Some(ip("192.0.2.1")));
    assert!(!router("track_interface = false").track_interface);
    assert!(!router("lease = false").lease);
    assert_eq!(
        router("garp_repeat = 2\ngarp_interval = \"500ms\"\ngarp_refresh = \"0s\"").announcing,
        Announcing { repeat: 2, interval: Duration::from_millis(500), refresh: None }
    );
    let held: Vec<String> = router("excluded_addresses = [\"198.51.100.1/24\", \"2001:db8::10/64\"]")
        .held()
        .map(|a| a.to_string())
        .collect();
    assert_eq!(held, ["192.0.2.10/24", "198.51.100.1/24", "2001:db8::10/64"]);
}

#[test]
fn authentication_of_version_2() {
    let auth = |table: &str| router(&format!("version = 2\nauthentication = {table}")).auth;
    assert_eq!(auth(r#"{ type = "password", secret = "s3cr3t" }"#), Auth::Password(*b"s3cr3t\0\0"));
    assert_eq!(auth(r#"{ type = "password", secret = "12345678" }"#), Auth::Password(*b"12345678"));
    let ah = |key: &[u8], flavour| Auth::Ah { key: Secret(key.into()), flavour };
    assert_eq!(auth(r#"{ type = "ah", secret = "s3cr3t" }"#), ah(b"s3cr3t", AhFlavour::Keepalived));
    assert_eq!(
        auth(r#"{ type = "ah", secret = "0123456789abcdef", flavour = "rfc2402" }"#),
        ah(b"0123456789abcdef", AhFlavour::Rfc2402)
    );
    assert_eq!(auth(r#"{ type = "password", secret_file = "/nowhere" }"#), Auth::Password([0; 8]), "portable");
}

#[test]
fn authentication_of_version_3() {
    let auth = |more: &str, table: &str| {
        let table = format!("unicast_peers = [\"192.0.2.2\"]\n{more}\nauthentication = {{ type = \"hmac\", {table} }}");
        let Auth::Hmac(auth) = router(&table).auth else { panic!("not hmac") };
        auth
    };
    let key = |id, octets: &[u8]| HmacKey { id, secret: Secret(octets.into()) };
    let text = "0123456789abcdef0123456789abcdef";
    let one = auth("", &format!("key_id = 7, secret = \"{text}\""));
    assert_eq!(*one.keys, [key(7, text.as_bytes())]);
    assert_eq!((one.key_id, one.mode, one.window), (7, HmacMode::Enforce, Duration::from_secs(5)));
    assert_eq!(one.signing_key(), Some(&one.keys[0]));

    let hex = format!("hex:{}", "0F".repeat(64));
    let listed = format!(
        "key_id = 2, mode = \"permissive\", window = \"300s\", keys = [{{ id = 1, secret = \"{text}\" }}, {{ id = 2, secret = \"{hex}\" }}]"
    );
    let two = auth("", &listed);
    assert_eq!(*two.keys, [key(1, text.as_bytes()), key(2, &[0x0f; 64])]);
    assert_eq!((two.mode, two.window), (HmacMode::Permissive, Duration::from_mins(5)));
    assert_eq!(two.signing_key(), Some(&two.keys[1]));

    let silent = auth("", &format!("key_id = 0, mode = \"receive-only\", secret = \"{text}\""));
    assert_eq!((silent.mode, silent.signing_key()), (HmacMode::ReceiveOnly, None));
    let slow = auth("advert_interval = \"2.5s\"", &format!("key_id = 0, secret = \"{text}\""));
    assert_eq!(slow.window, Duration::from_secs(8), "three intervals, up to the whole second");
    assert_eq!(*auth("", "key_id = 1, secret_file = \"/nowhere\"").keys, [key(1, &[0; 32])], "portable");
}

#[test]
fn an_ipv6_router_beside_an_ipv4_one_of_the_same_id() {
    let loaded = good(&format!(
        "{}[virtual_router.web6]\ninterface = \"eth0\"\nvirtual_router_id = 51\npriority = 99\nvirtual_addresses = [\"fe80::10/64\", \"2001:db8::10/64\"]\n",
        router_with("")
    ));
    let families: Vec<Family> = loaded.plan.groups.iter().map(|group| group.members[0].key.family).collect();
    assert_eq!(families, [Family::Ipv4, Family::Ipv6]);
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}

#[test]
fn every_kind_of_track() {
    let address = |text: &str| text.parse().expect("an address and a port");
    let http = HttpCheck {
        url: "https://[::1]:8443/x".into(),
        status: Some(204),
        body: Some("ok".into()),
        host: Some("h".into()),
        insecure: true,
    };
    for (lines, check) in [
        (
            "script = [\"/bin/a\", \"\", \"b c\"]\nuser = \"redis\"",
            Check::Script { argv: ["/bin/a", "", "b c"].map(String::from).to_vec().into(), user: "redis".into() },
        ),
        (
            "http = \"https://[::1]:8443/x\"\nstatus = 204\nbody = \"ok\"\nhost = \"h\"\ninsecure = true",
            Check::Http(http),
        ),
        (
            "tcp = \"127.0.0.1:6379\"\nsend = \"PING\\r\\n\"\nexpect = \"+PONG\"",
            Check::Tcp {
                address: address("127.0.0.1:6379"),
                send: Some("PING\r\n".into()),
                expect: Some("+PONG".into()),
            },
        ),
        ("ping = \"2001:db8::1\"", Check::Ping(ip("2001:db8::1"))),
        ("arp = \"192.0.2.254\"", Check::Arp { address: ip("192.0.2.254"), interface: interface("eth0") }),
        (
            "arp = \"192.0.2.254\"\narp_interface = \"eth7\"",
            Check::Arp { address: ip("192.0.2.254"), interface: interface("eth7") },
        ),
        ("interface = \"eth1\"", Check::Interface(interface("eth1"))),
        ("process = \"haproxy\"", Check::Process("haproxy".into())),
        ("process = \"/run/haproxy.pid\"", Check::Pidfile("/run/haproxy.pid".into())),
        ("file = \"/run/vrrpd/priority\"", Check::File("/run/vrrpd/priority".into())),
        ("route = \"0.0.0.0/0\"", Check::Route(ip("0.0.0.0"), 0)),
    ] {
        assert_eq!(track(lines).check, check, "{lines}");
    }
}

#[test]
fn the_timing_of_tracks() {
    let timing = |lines: &str| {
        let spec = track(lines);
        (spec.interval.as_millis(), spec.timeout.as_millis(), spec.fall, spec.rise, spec.assume)
    };
    assert_eq!(timing("ping = \"192.0.2.1\""), (1000, 1000, 2, 2, None));
    assert_eq!(timing("ping = \"192.0.2.1\"\ninterval = \"5s\""), (5000, 5000, 2, 2, None));
    assert_eq!(
        timing("ping = \"192.0.2.1\"\ninterval = \"2s\"\ntimeout = \"500ms\"\nfall = 3\nrise = 5\nassume = \"failed\""),
        (2000, 500, 3, 5, Some(false))
    );
    assert_eq!(
        timing("interface = \"eth1\"\nassume = \"healthy\""),
        (1000, 1000, 1, 1, Some(true)),
        "the kernel's word counts at once"
    );
}

#[test]
fn every_form_of_attachment() {
    let text = r#"
        [track.a]
        ping = "192.0.2.1"
        [virtual_router.web]
        interface = "eth0"
        virtual_router_id = 51
        priority = 99
        virtual_addresses = ["192.0.2.10/24"]
        promote_only_with = ["a"]
        track = { a = WEIGHT }
    "#;
    for (written, weight) in [
        ("\"required\"", Weight::Required { reverse: false }),
        ("-253", Weight::Adjust { by: -253, reverse: false }),
        ("20", Weight::Adjust { by: 20, reverse: false }),
        ("{ weight = -20, reverse = true }", Weight::Adjust { by: -20, reverse: true }),
        ("{ weight = 2 }", Weight::Adjust { by: 2, reverse: false }),
        ("{ required = true, reverse = true }", Weight::Required { reverse: true }),
    ] {
        let candidacy = good(&text.replace("WEIGHT", written)).plan.groups[0].candidacy.clone();
        assert_eq!(candidacy.track, [Attachment { track: "a".into(), weight }], "{written}");
        assert_eq!((candidacy.priority.get(), &*candidacy.promote_only_with[0]), (99, "a"));
    }
}

#[test]
fn a_sync_group_has_its_members_and_one_candidacy() {
    let loaded = good(
        r#"
        [track.nginx]
        process = "nginx"
        [virtual_router.web]
        interface = "eth0"
        virtual_router_id = 51
        virtual_addresses = ["192.0.2.10/24"]
        [virtual_router.lone]
        interface = "eth0"
        virtual_router_id = 53
        priority = 7
        virtual_addresses = ["192.0.2.11/24"]
        [virtual_router.web6]
        interface = "eth1"
        virtual_router_id = 52
        virtual_addresses = ["fe80::10/64"]
        [sync_group.site]
        members = ["web6", "web"]
        priority = 150
        track = { nginx = "required" }
        promote_only_with = ["nginx"]
        "#,
    );
    let shape: Vec<_> = loaded
        .plan
        .groups
        .iter()
        .map(|group| {
            (
                group.name.as_deref(),
                group.candidacy.priority.get(),
                group.members.iter().map(|r| &*r.name).collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(shape, [(Some("site"), 150, vec!["web6", "web"]), (None, 7, vec!["lone"])]);
    assert_eq!(loaded.plan.groups[0].candidacy.track.len(), 1);
}

#[test]
fn hooks_for_all_for_a_router_and_for_a_group() {
    let loaded = good(
        r#"
        [virtual_router.web]
        interface = "eth0"
        virtual_router_id = 51
        virtual_addresses = ["192.0.2.10/24"]
        [virtual_router.web.notify]
        on_master = ["/etc/vrrpd/to-master", "x"]
        on_backup = ["/etc/vrrpd/to-backup"]
        on_fault = ["/etc/vrrpd/to-fault"]
        on_stop = ["/etc/vrrpd/to-stop"]
        user = "root"
        timeout = "5s"
        keepalived_arguments = true
        [sync_group.site]
        members = ["web"]
        priority = 100
        [sync_group.site.notify]
        on_change = ["/etc/vrrpd/site"]
        [notify]
        on_change = ["/usr/lib/vrrpd/notify-mail"]
        fifo = "/run/vrrpd/changes"
        "#,
    );
    let web = &loaded.hooks.routers["web"];
    let master = Hook {
        argv: ["/etc/vrrpd/to-master", "x"].map(String::from).to_vec().into(),
        user: "root".into(),
        timeout: Duration::from_secs(5),
        keepalived_arguments: true,
    };
    assert_eq!(web.on_master, Some(master));
    assert!(web.on_backup.is_some() && web.on_fault.is_some() && web.on_stop.is_some() && web.on_change.is_none());
    assert!(loaded.hooks.groups["site"].on_change.is_some());
    assert_eq!(loaded.hooks.fifo, Some(PathBuf::from("/run/vrrpd/changes")));
    let all = loaded.hooks.all.on_change.expect("it was given");
    assert_eq!((&*all.user, all.timeout, all.keepalived_arguments), ("nobody", Duration::from_secs(30), false));
}

#[test]
fn routes_and_rules_are_held_with_a_router() {
    let spec = router(
        r#"virtual_routes = [
            { to = "10.0.0.0/8", via = "192.0.2.254", table = 100, metric = 50, source = "192.0.2.10" },
            { to = "2001:db8::/32", via = "fe80::1", device = "eth1" },
            { to = "198.51.100.0/24" },
        ]
        virtual_rules = [{ from = "10.0.0.0/8", table = 100 }, { to = "::/0", table = 7, priority = 5 }]"#,
    );
    let routes: Vec<String> = spec.routes.iter().map(ToString::to_string).collect();
    let expected = [
        "route to 10.0.0.0/8 via 192.0.2.254 table 100",
        "route to 2001:db8::/32 via fe80::1 dev eth1",
        "route to 198.51.100.0/24 dev eth0",
    ];
    assert_eq!(routes, expected);
    assert_eq!((spec.routes[0].metric, spec.routes[0].source), (Some(50), Some(ip("192.0.2.10"))));
    let rules: Vec<String> = spec.rules.iter().map(ToString::to_string).collect();
    assert_eq!(rules, ["rule 1000: from 10.0.0.0/8 lookup 100", "rule 5: to ::/0 lookup 7"]);
}

#[test]
fn the_owner_of_addresses_takes_packets_to_them_whatever_stands_there() {
    let accepts = |priority: u8| {
        let text = format!(
            "[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\npriority = {priority}\n\
             virtual_addresses = [\"192.0.2.10/24\"]\naccept = false\n"
        );
        good(&text).plan.groups[0].members[0].accept
    };
    assert!(accepts(255));
    assert!(!accepts(254));
}
