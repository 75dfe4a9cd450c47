//! What the journal has of a daemon that it follows: a real journald, in a mount namespace of its own.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use netns_tests::{Implementation, Lab, PairConfig, RouterConfig};
use serde_json::Value;

const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

/// Standard error goes to the journal, as the service manager would have it, and is told apart by the variable.
const SCRIPT: &str = r#"set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
"$1" >/dev/null 2>&1 &
journald=$!
until [ -S /run/systemd/journal/socket ]; do sleep 0.05; done
JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) timeout 3 "$2" --config "$3" || [ $? = 124 ]
sleep 0.5
journalctl --quiet --directory=/run/log/journal --output=json SYSLOG_IDENTIFIER=vrrpd
kill $journald
"#;

#[test]
fn each_line_has_fields_to_search_by() {
    if !Path::new(JOURNALD).exists() || !Path::new("/etc/machine-id").exists() {
        eprintln!("skipped: this machine has no {JOURNALD}, or no identity for it");
        return;
    }
    let lab = Lab::new(1);
    let host = lab.host(1);
    let text = Implementation::Vrrpd.render(host, &PairConfig::from(RouterConfig::web(100)));
    let (script, config) = (host.write("journal.sh", SCRIPT), host.write("daemon.conf", &text));
    let vrrpd = Implementation::Vrrpd.executable();
    let [script, vrrpd, config] = [&script, &vrrpd, &config].map(|path| path.to_str().unwrap());
    let output = host.run("unshare", &["--mount", "sh", script, JOURNALD, vrrpd, config]);
    assert!(output.status.success(), "{output:?}");

    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<BTreeMap<String, Value>> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = |fields: &[(&str, &str)]| {
        let has = |line: &&BTreeMap<String, Value>| {
            fields.iter().all(|(name, value)| line.get(*name).is_some_and(|got| got == value))
        };
        lines.iter().find(has).unwrap_or_else(|| panic!("{fields:?} is in none of {lines:#?}"))
    };
    let master = found(&[
        ("VRRPD_ROUTER", "web"),
        ("VRRPD_STATE", "MASTER"),
        ("VRRPD_REASON", "master_silent"),
        ("PRIORITY", "6"),
        ("_TRANSPORT", "journal"),
        ("_COMM", "vrrpd"),
    ]);
    let message = master["MESSAGE"].as_str().unwrap();
    assert!(message.starts_with("web: BACKUP -> MASTER: no Master was heard"), "{message}");
    found(&[("VRRPD_ROUTER", "web"), ("VRRPD_STATE", "INITIALIZE"), ("VRRPD_REASON", "stopping")]);
}
