//! `vrrpctl simulate` on the shipped examples. A seed is a run: whole reports are compared, to the microsecond.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What a run said, and its exit code.
#[derive(Debug, Eq, PartialEq)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// Changes of a file, in words: from, to.
type Changes<'a> = &'a [(&'a str, &'a str)];

const SECOND: Changes<'_> = &[("priority          = 100", "priority          = 99")];
const THIRD: Changes<'_> = &[("priority          = 100", "priority          = 98")];
const OTHER_WAY_ROUND: Changes<'_> = &[("= 100\n", "= 1\n"), ("= 99\n", "= 100\n"), ("= 1\n", "= 99\n")];
const SECOND_IN_GROUP: Changes<'_> = &[("priority = 100", "priority = 99")];
const SECOND_IN_CLOUD: Changes<'_> = &[
    ("priority          = 100", "priority          = 99"),
    ("source_address    = \"10.0.0.2\"", "source_address    = \"10.0.0.3\""),
    ("[\"10.0.0.3\"]", "[\"10.0.0.2\"]"),
];
const NO_SOURCE: Changes<'_> = &[("source_address    = \"10.0.0.2\"\n", "")];
const SECOND_WITHOUT_SOURCE: Changes<'_> = &[
    ("priority          = 100", "priority          = 99"),
    ("source_address    = \"10.0.0.2\"\n", ""),
    ("[\"10.0.0.3\"]", "[\"10.0.0.2\"]"),
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples")
}

/// The hosts a, b, ... of an example, the first as shipped and each other one with these changes.
fn hosts(example: &str, others: &[Changes<'_>]) -> TempDir {
    let text = fs::read_to_string(examples().join(example)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, changes) in ["a", "b", "c"].iter().zip([&[][..]].iter().chain(others)) {
        let changed = changes.iter().fold(text.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{example} has no {from}");
            text.replace(from, to)
        });
        fs::write(folder.path().join(format!("{name}.toml")), changed).unwrap();
    }
    folder
}

/// Arguments as in a shell, with 'quotes'.
fn simulate(folder: &Path, line: &str) -> Said {
    let mut arguments = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            arguments.push(part.to_owned());
        } else {
            arguments.extend(part.split_whitespace().map(ToOwned::to_owned));
        }
    }
    let program = Command::new(env!("CARGO_BIN_EXE_vrrpctl"))
        .arg("simulate")
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    Said {
        code: program.status.code().unwrap(),
        out: String::from_utf8(program.stdout).unwrap(),
        err: String::from_utf8(program.stderr).unwrap(),
    }
}

fn expect(folder: &Path, line: &str, code: i32, report: &str) {
    let said = simulate(folder, line);
    assert_eq!(said.err, "", "{line}");
    assert!(said.out == report.trim_start_matches('\n'), "{line}\n{}", said.out);
    assert_eq!(said.code, code, "{line}");
}

#[test]
fn a_pair_survives_a_crash_and_a_failing_check() {
    let folder = hosts("nginx-pair.toml", &[SECOND]);
    expect(
        folder.path(),
        "a.toml b.toml \
         --for 30s \
         --event '5s crash a' \
         --event '12s restart a' \
         --event '20s fail nginx on a' \
         --assert 'one master within 4s' \
         --assert 'never two masters' \
         --assert 'master b at 24s'",
        0,
        r"
   3.609s  a  web: BACKUP -> MASTER: no Master was heard
   5.000s     == crash a
   8.223s  b  web: BACKUP -> MASTER: no advert from a (priority 100) for 3.613 s
  12.000s     == restart a
  15.609s  a  web: BACKUP -> MASTER: it displaces b, which has the lower priority 99
  15.610s  b  web: MASTER -> BACKUP: a has the higher priority 100
  20.000s     == fail nginx on a
  22.005s  a  track nginx: failing: simulated
  22.005s  a  web: MASTER -> FAULT: the required track nginx fails
  22.618s  b  web: BACKUP -> MASTER: a resigned (priority 0)

web (ipv4, VRID 51) on a, b
   0.000s  nobody      3.609s
   3.609s  a           1.391s
   5.000s  nobody      3.223s
   8.223s  b           7.387s
  15.609s  a and b      134us
  15.610s  a           6.395s
  22.005s  nobody      0.613s
  22.618s  b           7.382s
  without a Master: 7.446s, 3 times, at most 3.609s
  with two or more: 134us, once

holds: one master within 4s
holds: never two masters
holds: master b at 24s
",
    );
}

#[test]
fn a_broken_network_is_a_split_brain_and_an_assertion_says_so() {
    let folder = hosts("nginx-pair.toml", &[SECOND]);
    expect(
        folder.path(),
        "a.toml b.toml \
         --for 20s \
         --event '5s cut a' \
         --event '12s mend a' \
         --assert 'never two masters' \
         --assert 'one master within 4s' \
         --assert 'never two masters longer than 5s' \
         --assert 'master b at 11s'",
        1,
        r#"
   3.609s  a  web: BACKUP -> MASTER: no Master was heard
   5.000s     == cut a
   8.223s  b  web: BACKUP -> MASTER: no advert from a (priority 100) for 3.613 s
  12.000s     == mend a
  12.223s  a  web: warning: split_brain (b): it sends adverts as Master too, of lower standing; it was answered. If this stays, one side does not hear the other: look at the network and at firewalls
  12.223s  b  web: MASTER -> BACKUP: a has the higher priority 100
  13.723s  a  web: announced its addresses again: b was Master too, and gave in when it was first heard

web (ipv4, VRID 51) on a, b
   0.000s  nobody      3.609s
   3.609s  a           4.613s
   8.223s  a and b     4.000s
  12.223s  a           7.777s
  without a Master: 3.609s, once
  with two or more: 4.000s, once

FAILS: never two masters
  web: a and b are Master from 8.223s to 12.223s, for 4.000s
FAILS: one master within 4s
  web: a and b are Master from 8.223s to 12.223s, for 4.000s, and it has to be one from 9.000s on (4.000s after "cut a")
holds: never two masters longer than 5s
FAILS: master b at 11s
  web: a and b are Master from 8.223s to 12.223s, for 4.000s
"#,
    );
}

#[test]
fn drained_routers_hand_over_in_skew_time() {
    let folder = hosts("load-sharing.toml", &[OTHER_WAY_ROUND]);
    expect(
        folder.path(),
        "a.toml b.toml \
         --for 12s \
         --event '2s drain b' \
         --event '5s drain a' \
         --assert 'master b of web_a at 6s' \
         --assert 'master a of web_b at 6s'",
        1,
        r"
   2.000s     == drain b
   2.000s  b  refused: web_a is not Master, and no other Master is heard: if it were drained, nobody would hold its addresses. Start the other host first, or use --force
   3.609s  a  web_a: BACKUP -> MASTER: no Master was heard
   3.609s  b  web_b: BACKUP -> MASTER: no Master was heard
   5.000s     == drain a
   5.000s  a  web_a: drained by the simulation
   5.000s  a  web_a: MASTER -> BACKUP: an operator drained it
   5.000s  a  web_b: drained by the simulation
   5.613s  b  web_a: BACKUP -> MASTER: a resigned (priority 0)

web_a (ipv4, VRID 51) on a, b
   0.000s  nobody     3.609s
   3.609s  a          1.391s
   5.000s  nobody     0.613s
   5.613s  b          6.387s
  without a Master: 4.223s, 2 times, at most 3.609s
  with two or more: never

web_b (ipv4, VRID 52) on a, b
   0.000s  nobody     3.609s
   3.609s  b          8.391s
  without a Master: 3.609s, once
  with two or more: never

holds: master b of web_a at 6s
FAILS: master a of web_b at 6s
  web_b: b is Master from 3.609s to 12.000s, for 8.391s
",
    );
}

#[test]
fn one_direction_of_unicast_can_fail() {
    let folder = hosts("cloud-unicast.toml", &[SECOND_IN_CLOUD]);
    expect(
        folder.path(),
        "a.toml b.toml \
         --for 12s \
         --event '5s cut a->b' \
         --event '10s mend a->b' \
         --assert 'never two masters'",
        1,
        r"
   3.609s  a  web: BACKUP -> MASTER: no Master was heard
   5.000s     == cut a->b
   8.223s  b  web: BACKUP -> MASTER: no advert from a (priority 100) for 3.613 s
   8.223s  a  web: warning: split_brain (b): it sends adverts as Master too, of lower standing; it was answered. If this stays, one side does not hear the other: look at the network and at firewalls
  10.000s     == mend a->b
  10.223s  b  web: MASTER -> BACKUP: a has the higher priority 100
  11.723s  a  web: announced its addresses again: b was Master too, for at least 2.000 s

web (ipv4, VRID 51) on a, b
   0.000s  nobody      3.609s
   3.609s  a           4.613s
   8.223s  a and b     2.000s
  10.223s  a           1.777s
  without a Master: 3.609s, once
  with two or more: 2.000s, once

FAILS: never two masters
  web: a and b are Master from 8.223s to 10.223s, for 2.000s
",
    );
}

#[test]
fn a_sync_group_moves_as_a_whole() {
    let folder = hosts("ipv6-virtual-mac.toml", &[SECOND_IN_GROUP]);
    expect(
        folder.path(),
        "a.toml b.toml \
         --for 15s \
         --event '5s fail uplink on a' \
         --event '8s heal uplink on a'",
        0,
        r"
   3.609s  a  gateway6: BACKUP -> MASTER: no Master was heard
   3.609s  a  gateway4: BACKUP -> MASTER: no Master was heard
   5.000s     == fail uplink on a
   5.000s  a  interface eth1: down
   5.000s  a  track uplink: failing: down
   5.000s  a  gateway6: MASTER -> FAULT: the required track uplink fails
   5.000s  a  gateway4: MASTER -> FAULT: the required track uplink fails
   5.613s  b  gateway6: BACKUP -> MASTER: a resigned (priority 0)
   5.613s  b  gateway4: BACKUP -> MASTER: a resigned (priority 0)
   8.000s     == heal uplink on a
   8.000s  a  interface eth1: up
   8.000s  a  track uplink: healthy: up
   8.000s  a  gateway6: FAULT -> BACKUP: it is ready to stand in the election
   8.000s  a  gateway4: FAULT -> BACKUP: it is ready to stand in the election
  11.609s  a  gateway6: BACKUP -> MASTER: it displaces b, which has the lower priority 99
  11.609s  a  gateway4: BACKUP -> MASTER: it displaces b, which has the lower priority 99
  11.609s  b  gateway6: MASTER -> BACKUP: a has the higher priority 100
  11.609s  b  gateway4: MASTER -> BACKUP: another member of sync group gateway cannot be Master

gateway4 (ipv4, VRID 51) on a, b
   0.000s  nobody      3.609s
   3.609s  a           1.391s
   5.000s  nobody      0.613s
   5.613s  b           5.996s
  11.609s  a and b      103us
  11.609s  a           3.391s
  without a Master: 4.223s, 2 times, at most 3.609s
  with two or more: 103us, once

gateway6 (ipv6, VRID 51) on a, b
   0.000s  nobody      3.609s
   3.609s  a           1.391s
   5.000s  nobody      0.613s
   5.613s  b           5.996s
  11.609s  a and b      103us
  11.609s  a           3.391s
  without a Master: 4.223s, 2 times, at most 3.609s
  with two or more: 103us, once
",
    );
}

#[test]
fn a_process_that_dies_hands_over_and_a_frozen_daemon_is_replaced() {
    let folder = hosts("haproxy.toml", &[SECOND]);
    expect(
        folder.path(),
        "a.toml b.toml \
         --for 12s \
         --event '2s fail haproxy on b' \
         --event '3s heal haproxy on b' \
         --event '5s freeze a' \
         --event '8s thaw a' \
         --assert 'one master within 1s'",
        1,
        r#"
   0.722s  a  balancer: BACKUP -> MASTER: no Master was heard
   2.000s     == fail haproxy on b
   2.000s  b  track haproxy: failing: simulated
   2.000s  b  balancer: BACKUP -> FAULT: the required track haproxy fails
   3.000s     == heal haproxy on b
   3.000s  b  track haproxy: healthy: simulated
   3.000s  b  balancer: FAULT -> BACKUP: it is ready to stand in the election
   5.000s     == freeze a
   5.645s  b  balancer: BACKUP -> MASTER: no advert from a (priority 100) for 0.723 s
   8.000s     == thaw a
   8.000s  a  balancer: MASTER -> BACKUP: this host was held up for longer than its peers wait
   8.000s  a  the protocol was held up for 2.878 s beyond its deadline

balancer (ipv4, VRID 60) on a, b
   0.000s  nobody      0.722s
   0.722s  a           4.923s
   5.645s  a and b     2.355s
   8.000s  b           4.000s
  without a Master: 0.722s, once
  with two or more: 2.355s, once

FAILS: one master within 1s
  balancer: a and b are Master from 5.645s to 8.000s, for 2.355s, and it has to be one from 6.000s on (1.000s after "freeze a")
"#,
    );
}

#[test]
fn three_hosts_lose_two() {
    let folder = hosts("kubernetes-api.toml", &[SECOND, THIRD]);
    expect(
        folder.path(),
        "a.toml b.toml c.toml \
         --for 20s \
         --event '5s crash a' \
         --event '10s crash b' \
         --assert 'master c at 15s' \
         --assert 'one master within 4s'",
        0,
        r"
   3.609s  a  kubernetes_api: BACKUP -> MASTER: no Master was heard
   5.000s     == crash a
   8.223s  b  kubernetes_api: BACKUP -> MASTER: no advert from a (priority 100) for 3.613 s
  10.000s     == crash b
  12.840s  c  kubernetes_api: BACKUP -> MASTER: no advert from b (priority 99) for 3.617 s

kubernetes_api (ipv4, VRID 70) on a, b, c
   0.000s  nobody     3.609s
   3.609s  a          1.391s
   5.000s  nobody     3.223s
   8.223s  b          1.777s
  10.000s  nobody     2.840s
  12.840s  c          7.160s
  without a Master: 9.672s, 3 times, at most 3.609s
  with two or more: never

holds: master c at 15s
holds: one master within 4s
",
    );
}

#[test]
fn a_seed_is_a_run_and_losses_are_seen() {
    let line = |seed: u32| {
        format!(
            "four-hosts/master01.toml four-hosts/slaver01.toml --for 5m --loss 40% --seed {seed} --assert 'never two masters'"
        )
    };
    let first = simulate(&examples(), &line(1));
    assert_eq!(
        (first.code, first.err.as_str()),
        (1, ""),
        "with every third advert lost, a Backup takes over some time"
    );
    assert_eq!(simulate(&examples(), &line(1)), first);
    assert_ne!(simulate(&examples(), &line(2)).out, first.out);
    let healthy = simulate(&examples(), &line(1).replace("40%", "0%"));
    assert_eq!(healthy.code, 0, "{}", healthy.out);
}

/// Who has which address follows from who names whom as a peer.
#[test]
fn unicast_peers_without_a_source_address_find_each_other() {
    let folder = hosts("cloud-unicast.toml", &[SECOND_WITHOUT_SOURCE]);
    let text = fs::read_to_string(folder.path().join("a.toml")).unwrap();
    let (from, to) = NO_SOURCE[0];
    fs::write(folder.path().join("a.toml"), text.replace(from, to)).unwrap();
    let said = simulate(
        folder.path(),
        "a.toml b.toml --for 20s --event '9s crash a' --assert 'never two masters' --assert 'master a at 8s' \
         --assert 'master b at 19s'",
    );
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    assert!(said.out.contains("no advert from a (priority 100)"), "{}", said.out);
}

#[test]
fn interfaces_of_one_virtual_router_may_have_different_names() {
    let other_name = [SECOND, &[("\"eth0\"", "\"enp3s0\"")]].concat();
    let folder = hosts("nginx-pair.toml", &[&other_name]);
    let said =
        simulate(folder.path(), "a.toml b.toml --for 20s --assert 'master a at 19s' --assert 'never two masters'");
    assert_eq!(said.code, 0, "{}", said.out);
}

/// A reviewer wants to see what would only show at night.
#[test]
fn configurations_that_do_not_fit_are_found() {
    for (changes, expected) in [
        (&[("virtual_router_id = 51", "virtual_router_id = 52")][..], "web (ipv4, VRID 51) on a alone"),
        (&[("s3cr3t", "other")], "a and b"),
        (&[("version           = 2\n", ""), ("authentication", "# authentication")], "a and b"),
    ] {
        let folder = hosts("nginx-pair.toml", &[changes]);
        let said = simulate(folder.path(), "a.toml b.toml --for 10s");
        assert_eq!(said.code, 0, "{changes:?}: {}", said.err);
        assert!(said.out.contains(expected), "{changes:?}: {}", said.out);
    }
}

#[test]
fn what_cannot_be_simulated_is_said_with_exit_code_2() {
    let folder = hosts("nginx-pair.toml", &[SECOND]);
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::copy(folder.path().join("b.toml"), folder.path().join("other/a.toml")).unwrap();
    fs::write(folder.path().join("broken.toml"), "[virtual_router.web]\nvirtual_router_id = 0\n").unwrap();
    for (line, expected) in [
        ("", "<FILE> <FILE>..."),
        ("a.toml", "2 values required"),
        ("a.toml gone.toml", "gone.toml: No such file or directory"),
        ("a.toml broken.toml", "virtual_router_id"),
        ("a.toml other/a.toml", "two files are for host a"),
        ("a.toml b.toml --event '5s explode a'", "invalid value '5s explode a' for '--event <EVENT>': \"explode\" is"),
        ("a.toml b.toml --event '5s fail nginx'", "expected \"5s fail TRACK on HOST\""),
        ("a.toml b.toml --event '5s crash c'", "\"5s crash c\": there is no host c: there are a, b"),
        ("a.toml b.toml --event '5s cut a->c'", "\"5s cut a->c\": there is no host c"),
        ("a.toml b.toml --event '5s fail redis on a'", "\"5s fail redis on a\": a uses no track redis; it uses nginx"),
        ("a.toml b.toml --event '2m crash a'", "\"2m crash a\": that is not before the end of the simulation, 1m"),
        ("a.toml b.toml --assert 'all is well'", "expected \"one master within TIME\""),
        ("a.toml b.toml --assert 'master c at 5s'", "\"master c at 5s\": there is no host c"),
        ("a.toml b.toml --assert 'master a of w at 5s'", "a has no virtual router w; it has web"),
        ("a.toml b.toml --assert 'master a at 2m'", "make it longer with --for"),
        ("a.toml b.toml --loss 101%", "from 0% to 100%"),
        ("a.toml b.toml --for 25h", "at most 24h"),
        ("a.toml b.toml --for soon", "write 60s or 5m"),
    ] {
        let said = simulate(folder.path(), line);
        assert!(said.err.contains(expected), "{line}\n{}", said.err);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{line}");
    }
}
