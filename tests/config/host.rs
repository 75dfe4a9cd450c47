//! What depends on the host: programs, users, secrets, interfaces.

use crate::fake_host::FakeHost;
use crate::{router_with, track_with};
use std::io;
use std::path::Path;
use vrrpd::config::{Context, Diagnostics, Loaded, Severity, load_text};
use vrrpd::vrrp::Auth;

fn load(text: &str, context: &Context<'_>) -> Result<Loaded, Diagnostics> {
    load_text(Path::new("vrrpd.toml"), text, context)
}

/// What a file gets on a host, each finding as `error: MESSAGE` or `warning: MESSAGE`.
fn findings(text: &str, context: &Context<'_>) -> Vec<String> {
    let found = load(text, context).map_or_else(|errors| errors, |loaded| loaded.warnings);
    let label = |severity| if severity == Severity::Error { "error" } else { "warning" };
    found.iter().map(|diagnostic| format!("{}: {}", label(diagnostic.severity), diagnostic.message)).collect()
}

fn with_script(program: &str) -> String {
    track_with(&format!("script = [\"{program}\"]"))
}

#[test]
fn a_program_that_only_root_can_replace_is_taken() {
    let mut host = FakeHost::usual();
    host.file("/etc/vrrpd/check", 0o755, 0);
    assert_eq!(findings(&with_script("/etc/vrrpd/check"), &Context::run(&host)), Vec::<String>::new());
}

#[test]
fn programs_that_are_missing_or_insecure_are_errors() {
    let mut host = FakeHost::usual();
    host.file("/etc/vrrpd/not-executable", 0o644, 0);
    host.file("/etc/vrrpd/roots-own", 0o700, 0);
    host.file("/etc/vrrpd/open", 0o757, 0);
    host.file("/etc/vrrpd/group", 0o775, 65534);
    host.directory("/srv", 0o777, 0);
    host.file("/srv/check", 0o755, 0);
    host.directory("/home", 0o755, 1000);
    host.file("/home/check", 0o755, 0);
    host.file("/tmp/check", 0o755, 0);
    host.links.insert("/etc/vrrpd/link".into(), "/srv/check".into());
    for (program, expected) in [
        ("/etc/vrrpd/missing", Some("error: /etc/vrrpd/missing: entity not found")),
        ("/etc/vrrpd", Some("error: /etc/vrrpd is not a program")),
        (
            "/etc/vrrpd/not-executable",
            Some("error: /etc/vrrpd/not-executable is not executable for user nobody (mode 0644)"),
        ),
        ("/etc/vrrpd/roots-own", Some("error: /etc/vrrpd/roots-own is not executable for user nobody (mode 0700)")),
        ("/etc/vrrpd/open", Some("error: /etc/vrrpd/open is insecure: /etc/vrrpd/open is writable by everybody")),
        ("/etc/vrrpd/group", Some("error: /etc/vrrpd/group is insecure: /etc/vrrpd/group is writable by its group")),
        ("/srv/check", Some("error: /srv/check is insecure: /srv is writable by everybody")),
        ("/home/check", Some("error: /home/check is insecure: /home is owned by another user than the program")),
        ("/etc/vrrpd/link", Some("error: /etc/vrrpd/link is insecure: /srv is writable by everybody")),
        ("/tmp/check", None),
    ] {
        let found = findings(&with_script(program), &Context::check(&host));
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), Vec::from_iter(expected), "{program}");
        let portable = findings(&with_script(program), &Context::portable());
        assert_eq!(portable, Vec::<String>::new(), "portable: {program}");
    }
}

#[test]
fn hooks_are_programs_too() {
    let host = FakeHost::usual();
    let text = format!("{}[notify]\non_change = [\"/etc/vrrpd/missing\"]\nuser = \"nobdy\"\n", router_with(""));
    let found = findings(&text, &Context::run(&host));
    assert_eq!(found, ["error: /etc/vrrpd/missing: entity not found", "error: there is no user nobdy on this host"]);
}

#[test]
fn a_program_run_by_root_should_be_roots() {
    let mut host = FakeHost::usual();
    host.file("/etc/vrrpd/check", 0o755, 65534);
    let text = track_with("script = [\"/etc/vrrpd/check\"]\nuser = \"root\"");
    let found = findings(&text, &Context::run(&host));
    assert_eq!(found, ["warning: /etc/vrrpd/check is run by root but belongs to user number 65534"]);
}

#[test]
fn what_the_checker_may_not_see_is_a_warning_for_him_and_an_error_for_the_daemon() {
    let mut host = FakeHost::usual();
    host.files.insert("/root/check".into(), Err(io::ErrorKind::PermissionDenied));
    let text = with_script("/root/check");
    assert_eq!(
        findings(&text, &Context::check(&host)),
        ["warning: /root/check is hidden from you, so it was not checked"]
    );
    assert_eq!(findings(&text, &Context::run(&host)), ["error: /root/check: permission denied"]);
}

#[test]
fn a_secret_file_is_read_if_nobody_else_can() {
    let text = router_with("version = 2\nauthentication = { type = \"ah\", secret_file = \"/etc/vrrpd/key\" }");
    let mut host = FakeHost::usual();
    assert_eq!(findings(&text, &Context::check(&host)), ["error: /etc/vrrpd/key: entity not found"]);
    host.file("/etc/vrrpd/key", 0o600, 0);
    assert_eq!(
        findings(&text, &Context::check(&host)),
        ["warning: /etc/vrrpd/key is not readable for you, so it was not checked"]
    );
    assert_eq!(findings(&text, &Context::run(&host)), ["error: /etc/vrrpd/key: permission denied"]);
    host.contents.insert("/etc/vrrpd/key".into(), b"s3cr3t\n".to_vec());
    let loaded = load(&text, &Context::run(&host)).expect("good now");
    let Auth::Ah { key, .. } = &loaded.plan.groups[0].members[0].auth else { panic!("not ah") };
    assert_eq!(&*key.0, b"s3cr3t");
    host.file("/etc/vrrpd/key", 0o640, 0);
    assert_eq!(
        findings(&text, &Context::run(&host)),
        ["error: /etc/vrrpd/key can be read by others than its owner (mode 0640)"]
    );
}

#[test]
fn interfaces_groups_and_subnets_are_warnings() {
    let host = FakeHost::usual();
    for (text, expected) in [
        (router_with("").replace("eth0", "eth9"), "warning: there is no interface eth9 on this host"),
        (
            router_with("").replace("192.0.2.10", "198.51.100.1"),
            "warning: 198.51.100.1 is outside every subnet of eth0",
        ),
        (
            format!("[daemon]\ncontrol_group = \"whel\"\n{}", router_with("")),
            "warning: there is no group whel on this host",
        ),
        (
            router_with("mac = \"virtual\"").replace("= 100", "= 255").replace("192.0.2.10", "192.0.2.1"),
            "warning: 192.0.2.1 is on eth0 itself, whose own MAC address answers for it too",
        ),
    ] {
        assert_eq!(findings(&text, &Context::run(&host)), [expected]);
    }
}
