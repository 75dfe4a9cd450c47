//! Single lines and blocks, each with the lines of TOML that come of it.

use crate::{SomeHost, imported};
use std::path::Path;
use vrrpd::config::keepalived::{NoteKind, import};

/// An instance with these lines in it.
fn instance(lines: &str) -> String {
    let address = if lines.contains("virtual_ipaddress {") { "" } else { "virtual_ipaddress { 192.0.2.10/24 }\n" };
    format!("vrrp_instance web {{\ninterface eth0\nvirtual_router_id 51\n{address}{lines}\n}}\n")
}

/// The lines of the TOML that are neither comments nor what every instance of this file has.
fn keys(toml: &str) -> Vec<String> {
    let common = [
        "interface = \"eth0\"",
        "virtual_router_id = 51",
        "virtual_addresses = [\"192.0.2.10/24\"]",
        "[virtual_router.web]",
    ];
    let lines = toml.lines().filter(|line| !line.is_empty() && !line.starts_with('#') && !common.contains(line));
    lines.map(str::to_owned).collect()
}

#[test]
fn lines_of_an_instance() {
    for (lines, expected) in [
        ("", &["priority = 100", "version = 2"][..]),
        (
            "version 3\nadvert_int 0.25",
            &["priority = 100", "version = 3", "advert_interval = \"250ms\"", "checksum = \"rfc5798\""],
        ),
        ("version 3\nv3_checksum_as_v2", &["priority = 100", "version = 3", "checksum = \"rfc9568\""]),
        ("advert_int 2.6", &["priority = 100", "version = 2", "advert_interval = \"3s\""]),
        ("advert_int 0.1", &["priority = 100", "version = 2", "advert_interval = \"1s\""]),
        (
            "version 3\nadvert_int 100",
            &["priority = 100", "version = 3", "advert_interval = \"40.95s\"", "checksum = \"rfc5798\""],
        ),
        ("state MASTER\npriority 150", &["priority = 150", "version = 2"]),
        ("state MASTER", &["priority = 255", "version = 2"]),
        ("state BACKUP\nnopreempt", &["priority = 100", "version = 2", "preempt = false"]),
        ("nopreempt\npreempt_delay 9", &["priority = 100", "version = 2", "preempt = false"]),
        ("preempt_delay 2.5", &["priority = 100", "version = 2", "preempt_delay = \"2.5s\""]),
        ("state MASTER\npriority 9\npreempt_delay 9\nnopreempt", &["priority = 9", "version = 2"]),
        ("accept", &["priority = 100", "version = 2"]),
        ("dont_track_primary", &["priority = 100", "version = 2", "track_interface = false"]),
        ("mcast_src_ip 192.0.2.1", &["priority = 100", "version = 2", "source_address = \"192.0.2.1\""]),
        (
            "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.1\n192.0.2.2\n192.0.2.2\n}",
            &["priority = 100", "version = 2", "unicast_peers = [\"192.0.2.2\"]", "source_address = \"192.0.2.1\""],
        ),
        (
            "unicast_peer { 192.0.2.2 min_ttl 10 }",
            &["priority = 100", "version = 2", "unicast_peers = [\"192.0.2.2\"]", "check_ttl = false"],
        ),
        (
            "authentication {\nauth_type PASS\nauth_pass 'x\n}",
            &["priority = 100", "version = 2", "authentication = { type = \"password\", secret = \"'x\" }"],
        ),
        (
            "authentication {\nauth_type AH\nauth_pass 123456789\n}",
            &["priority = 100", "version = 2", "authentication = { type = \"ah\", secret = \"12345678\" }"],
        ),
        (
            "virtual_ipaddress_excluded { 198.51.100.1/24 \n 2001:db8::1/64 }",
            &["priority = 100", "excluded_addresses = [\"198.51.100.1/24\", \"2001:db8::1/64\"]", "version = 2"],
        ),
        (
            "garp_master_repeat 3\ngarp_master_delay 4",
            &["priority = 100", "version = 2", "garp_repeat = 3", "garp_interval = \"2s\""],
        ),
        ("garp_master_repeat 1", &["priority = 100", "version = 2", "garp_repeat = 2", "garp_interval = \"5s\""]),
        ("garp_master_repeat 0\ngarp_master_delay 0", &["priority = 100", "version = 2", "garp_repeat = 1"]),
        ("garp_master_refresh 0", &["priority = 100", "version = 2", "garp_refresh = \"0s\""]),
        ("garp_master_refresh 30", &["priority = 100", "version = 2", "garp_refresh = \"30s\""]),
        ("check_unicast_src\nskip_check_adv_addr on\ndebug 4", &["priority = 100", "version = 2"]),
        ("track_interface { eth0 }", &["priority = 100", "version = 2"]),
        (
            "track_interface {\neth0\neth1 weight 10 reverse\n}\ndont_track_primary",
            &[
                "[track.link-eth0]",
                "interface = \"eth0\"",
                "[track.link-eth1]",
                "interface = \"eth1\"",
                "priority = 100",
                "version = 2",
                "track = { link-eth0 = \"required\", link-eth1 = { weight = -10, reverse = true } }",
                "track_interface = false",
            ],
        ),
        (
            "virtual_ipaddress { fe80::1/64 \n 2001:db8::1/64 }\nadvert_int 0.1",
            &[
                "priority = 100",
                "virtual_addresses = [\"fe80::1/64\", \"2001:db8::1/64\"]",
                "version = 3",
                "advert_interval = \"100ms\"",
            ],
        ),
        (
            "virtual_ipaddress { fe80::1/64 }\nunicast_peer { 2001:db8::2 }",
            &[
                "priority = 100",
                "virtual_addresses = [\"fe80::1/64\"]",
                "version = 3",
                "unicast_peers = [\"2001:db8::2\"]",
                "check_ttl = false",
            ],
        ),
    ] {
        let imported = imported(&instance(lines));
        let got: Vec<String> = keys(&imported.toml).into_iter().filter(|line| line != "interface = \"eth0\"").collect();
        let expected: Vec<&str> = expected.iter().copied().filter(|line| *line != "interface = \"eth0\"").collect();
        assert_eq!(got, expected, "{lines}\n{}", imported.toml);
        assert!(imported.refused.is_none(), "{lines}:\n{}", imported.refused.expect("just looked"));
    }
}

#[test]
fn commands() {
    for (line, argv) in [
        ("script /bin/check", Some(r#"["/bin/check"]"#)),
        ("script \"/bin/check a 'b c' d\\ e f\\\\ g\"", Some(r#"["/bin/check", "a", "b c", "d", "e", "f g"]"#)),
        ("script \"/bin/check 'it''s' \\\"q\\\"\"", Some(r#"["/bin/check", "its", "q"]"#)),
        ("script \"pgrep x\"", Some(r#"["/usr/bin/pgrep", "x"]"#)),
        ("script \"killall -0 x\"", Some(r#"["/usr/bin/killall", "-0", "x"]"#)),
        ("script \"/bin/a http://x/?b=c&d=e;f\"", Some(r#"["/bin/a", "http://x/?b=c&d=e;f"]"#)),
        ("script \"/bin/a | /bin/b\"", Some(r#"["/bin/sh", "-c", "/bin/a | /bin/b"]"#)),
        ("script \"/bin/a '|' /bin/b\"", Some(r#"["/bin/a", "|", "/bin/b"]"#)),
        ("script \"</dev/tcp/127.0.0.1/80\"", Some(r#"["/bin/sh", "-c", "</dev/tcp/127.0.0.1/80"]"#)),
        ("script \"/bin/a $(hostname)\"", Some(r#"["/bin/sh", "-c", "/bin/a $(hostname)"]"#)),
        ("script \"./check\"", None),
        ("script \"/bin/a 'b\"", None),
        ("script \"\"", None),
        ("script", None),
    ] {
        let imported = imported(&format!("vrrp_script x {{\n{line}\n}}\n{}", instance("track_script { x }")));
        let got = imported.toml.lines().find_map(|line| line.strip_prefix("script = "));
        assert_eq!(got, argv, "{line}\n{}", imported.toml);
    }
}

/// What a weight of keepalived's adds is what ours adds: `reverse` means another thing in each.
#[test]
fn weights() {
    for (weight, ours) in [
        ("", "\"required\""),
        ("weight 0 reverse", "{ required = true, reverse = true }"),
        ("weight 20", "20"),
        ("weight -20", "-20"),
        ("weight 20 reverse", "{ weight = -20, reverse = true }"),
        ("weight -20 reverse", "{ weight = 20, reverse = true }"),
        ("weight 254", "253"),
        ("weight 5 noreverse", "5"),
    ] {
        let script = "vrrp_script x { script /bin/true }\n";
        let imported = imported(&format!("{script}{}", instance(&format!("track_script {{ x {weight} }}"))));
        assert!(imported.toml.contains(&format!("track = {{ x = {ours} }}")), "{weight}\n{}", imported.toml);
    }
}

#[test]
fn who_runs_scripts_that_name_nobody() {
    let text = format!("global_defs {{ }}\n{}", instance("notify /bin/true"));
    for (has_keepalived_user, user) in [(false, "root"), (true, "keepalived_script")] {
        let host = SomeHost { has_keepalived_user, ..SomeHost::default() };
        let toml = import(Path::new("keepalived.conf"), &text, &host).toml;
        assert!(toml.contains(&format!("script_user = \"{user}\"")), "{toml}");
    }
    assert!(!imported(&instance("notify /bin/true operator")).toml.contains("script_user"));
    assert!(!imported(&instance("")).toml.contains("script_user"));
}

#[test]
fn what_has_no_equivalent_is_named_with_its_line() {
    for (text, line, kind) in [
        ("virtual_server 192.0.2.1 80 {\n}\n", 1, NoteKind::Unmapped),
        ("\n\nno_such_block {\n}\n", 3, NoteKind::Unmapped),
        ("global_defs {\nenable_dbus\n}\n", 2, NoteKind::Unmapped),
        ("vrrp_script x {\nscript /bin/true\nsurprise\n}\n", 3, NoteKind::Unmapped),
        ("vrrp_sync_group x {\ngroup { nobody }\n}\n", 2, NoteKind::Broken),
        ("vrrp_instance x {\n", 1, NoteKind::Broken),
        ("@other router_id x\n", 1, NoteKind::Changed),
        ("include nowhere.conf\n", 1, NoteKind::Broken),
        ("# virtual_server\n\"\n", 2, NoteKind::Broken),
    ] {
        let imported = imported(text);
        let note = imported.notes.iter().find(|note| note.line() == line && note.kind == kind);
        assert!(note.is_some(), "{text}: {:?}", imported.notes);
    }
}

#[test]
fn a_group_takes_the_highest_priority_and_all_tracks() {
    let text = "vrrp_script s { script /bin/true\n weight 5 }\n
        vrrp_instance a { interface eth0\n virtual_router_id 1\n priority 90\n virtual_ipaddress { 192.0.2.1 }\n track_script { s weight 9 } }\n
        vrrp_instance b { interface eth0\n virtual_router_id 2\n priority 110\n virtual_ipaddress { 192.0.2.2 } }\n
        vrrp_sync_group g { group {\n a\n b\n }\n track_script { s } }\n
        vrrp_sync_group h { group { b } }\n";
    let imported = imported(text);
    let toml = &imported.toml;
    assert!(toml.contains("members = [\"a\", \"b\"]\npriority = 110\ntrack = { s = 5 }\n"), "{toml}");
    assert!(!toml.contains("[sync_group.h]\nmembers"), "{toml}");
    for part in ["one priority: 110", "two weights", "in a group already", "keeps its weight"] {
        assert!(imported.notes.iter().any(|note| note.message.contains(part)), "{part}: {:?}", imported.notes);
    }
    assert!(imported.refused.is_none());
}

#[test]
fn definitions_with_parameters_and_undefined_ones() {
    let text = "$ROUTER(id,name)= \\\n vrrp_instance ${name} { \\\n interface eth0 \\\n virtual_router_id ${id} \\\n virtual_ipaddress { 192.0.2.${id}/24 } \\\n }\n${ROUTER(7,seven)}\nrouter_id ${UNKNOWN}\n";
    let toml = imported(text).toml;
    assert!(toml.contains("[virtual_router.seven]\n") && toml.contains("\"192.0.2.7/24\""), "{toml}");
}

/// Keys of `auth_hmac` that keepalived would not take, or that mean nothing here.
#[test]
fn trailers_that_are_left_out_or_changed() {
    const KEY: &str = "key 1 0123456789abcdef0123456789abcdef\nactive_key 1";
    const WHOLE: Option<&str> = Some("{ type = \"hmac\", key_id = 1, secret = \"0123456789abcdef0123456789abcdef\" }");
    let with = |head: &str, block: &str| format!("{head}\nauth_hmac {{\n{block}\n}}");
    let v3 = |block: &str| with("version 3\nunicast_peer { 192.0.2.2 }", block);
    for (lines, authentication, remark) in [
        (v3(KEY), WHOLE, ""),
        (v3(&format!("{KEY}\nkey 1 hex:00")), WHOLE, "key 1 has 1 octets, and not 32 to 64"),
        (v3(&format!("{KEY}\nkey 0 x")), WHOLE, "a key has a number from 1 to 255"),
        (v3(&format!("{KEY}\nkey 2")), WHOLE, "key takes a number and the key"),
        (v3(&format!("{KEY}\nkey 2 file:key")), WHOLE, "the file of key 2 is not named by its absolute path"),
        (v3(&format!("{KEY}\n{KEY}")), WHOLE, "key 1 is there twice"),
        (v3(&format!("{KEY}\nmode lax")), WHOLE, "mode is enforce, permissive or receive-only"),
        (v3(&format!("{KEY}\ntime_window 301")), WHOLE, "time_window takes a number from 1 to 300"),
        (v3(&format!("{KEY}\nsurprise\nmode permissive")), WHOLE, "surprise: this import does not know the word"),
        (format!("authentication {{\nauth_type PASS\nauth_pass x\n}}\n{}", v3(KEY)), WHOLE, "beside auth_hmac"),
        (v3("key 1 0123456789abcdef0123456789abcdef"), WHOLE, "there is no active_key: key 1 signs"),
        (v3("key 2 0123456789abcdef0123456789abcdef\nactive_key 1"), None, "active_key 1 is not among the keys"),
        (v3("active_key 1"), None, "auth_hmac without a key is left out"),
        (with("unicast_peer { 192.0.2.2 }", KEY), None, "there is no trailer of version 2"),
        (with("version 3", KEY), None, "the trailer is for unicast_peers only"),
    ] {
        let imported = imported(&instance(&lines));
        let got = imported.toml.lines().find_map(|line| line.strip_prefix("authentication = "));
        let got = got.map(|table| table.replace(", mode = \"permissive\"", ""));
        assert_eq!(got.as_deref(), authentication, "{lines}\n{}", imported.toml);
        assert!(imported.refused.is_none(), "{lines}:\n{}", imported.refused.expect("just looked"));
        assert!(imported.notes.iter().any(|note| note.to_string().contains(remark)), "{lines}\n{}", imported.toml);
    }
}
