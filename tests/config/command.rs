//! `vrrpd --check-config` as a process: its exit codes and which output says what.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn check(path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpd"));
    command.args(["--check-config", "--portable", "--config"]).arg(path).output().expect("the program starts")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[test]
fn a_good_file_prints_what_would_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vrrpd.toml");
    let good = r#"
        [track.nginx]
        http = "http://127.0.0.1/"
        interval = "500ms"
        [track.gateway]
        ping = "192.0.2.254"
        [virtual_router.web]
        interface = "eth0"
        virtual_router_id = 51
        virtual_addresses = ["192.0.2.10/24"]
        advert_interval = "100ms"
        [virtual_router.web6]
        interface = "eth0"
        virtual_router_id = 51
        virtual_addresses = ["fe80::10/64", "2001:db8::10/64"]
        [sync_group.site]
        members = ["web", "web6"]
        priority = 150
        track = { nginx = "required", gateway = -20 }
        promote_only_with = ["gateway"]
        [notify]
        on_change = ["/usr/lib/vrrpd/notify-mail"]
    "#;
    fs::write(&path, good).expect("written");
    let output = check(&path);
    let expected = "\
FILE: good: 2 virtual routers, 1 sync group, 2 tracks, 1 hook

VIRTUAL ROUTER  INTERFACE  VRID  VERSION  PRIORITY  INTERVAL  ADDRESSES                    TRACKS
web             eth0       51    3        (site)    100ms     192.0.2.10/24                (site)
web6            eth0       51    3        (site)    1s        fe80::10/64 2001:db8::10/64  (site)

SYNC GROUP  PRIORITY  MEMBERS   TRACKS
site        150       web web6  nginx required, gateway -20, only with gateway

TRACK    KIND  INTERVAL  TIMEOUT  FALL  RISE
gateway  ping  1s        1s       2     2
nginx    http  500ms     500ms    2     2
";
    assert_eq!(text(&output.stdout), expected.replace("FILE", &path.display().to_string()));
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_bad_file_is_1_and_an_unreadable_one_2() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vrrpd.toml");
    let missing = check(&path);
    assert_eq!((missing.status.code(), text(&missing.stdout)), (Some(2), String::new()));
    assert!(text(&missing.stderr).contains("No such file or directory"), "{missing:?}");
    fs::write(&path, "[virtual_router.web]\n").expect("written");
    let refused = check(&path);
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(1), String::new()));
    assert!(text(&refused.stderr).contains("vrrpd.toml:1:17: error: virtual_router needs interface"), "{refused:?}");
}
