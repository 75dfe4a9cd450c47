//! `vrrpctl import-keepalived` as a process: its exit codes and which output says what.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const INSTANCE: &str = "vrrp_instance web {\n interface eth0\n virtual_router_id 51\n priority 100\n virtual_ipaddress { 192.0.2.10/24 }\n @a smtp_alert\n}\n";

fn run(path: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
    command.arg("import-keepalived").args(arguments).arg(path).output().expect("the program starts")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[test]
fn what_it_prints_is_a_configuration() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keepalived.conf");
    fs::write(&path, INSTANCE).expect("written");
    let output = run(&path, &["--config-id", "a"]);
    assert_eq!(output.status.code(), Some(0));
    let remark =
        format!("{}:6: not carried over: smtp_alert: vrrpd sends no mail: a program in on_change can", path.display());
    assert_eq!(text(&output.stderr), format!("{remark}\n"));
    assert!(text(&output.stdout).contains(&format!("\n# {remark}\n")), "{output:?}");
    let imported = directory.path().join("vrrpd.toml");
    fs::write(&imported, &output.stdout).expect("written");
    let mut check = Command::new(env!("CARGO_BIN_EXE_vrrpd"));
    let checked = check.args(["--check-config", "--portable", "--config"]).arg(&imported).output().expect("starts");
    assert!(checked.status.success(), "{checked:?}");

    assert_eq!(run(&path, &["--config-id", "a", "--strict"]).status.code(), Some(1), "not all is carried over");
    assert_eq!(run(&path, &["--config-id", "b", "--strict"]).status.code(), Some(0), "the line is for another host");
}

#[test]
fn a_wrong_line_is_1_and_an_unreadable_file_2() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keepalived.conf");
    assert_eq!(run(&path, &[]).status.code(), Some(2));
    assert_eq!(run(directory.path(), &[]).status.code(), Some(2));
    fs::write(&path, "}").expect("written");
    let output = run(&path, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), format!("{}:1: error: }} closes nothing\n", path.display()));
    // Two instances that are the same router: what comes of it is refused, with what to do.
    fs::write(&path, format!("{INSTANCE}{INSTANCE}")).expect("written");
    let output = run(&path, &["--config-id", "b"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("has to be mended"), "{output:?}");
}
