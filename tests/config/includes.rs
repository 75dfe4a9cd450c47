//! `include`: other files, and what is wrong between files.

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use vrrpd::config::{Context, LoadError, Loaded, load};

const ROUTER: &str = "[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\npriority = 100\nvirtual_addresses = [\"192.0.2.10/24\"]\n";

/// A directory with these files, of which `main.toml` is loaded.
fn load_files(files: &[(&str, &str)]) -> (TempDir, Result<Loaded, LoadError>) {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("inside the directory")).expect("created");
        fs::write(path, text).expect("written");
    }
    let loaded = load(&directory.path().join("main.toml"), &Context::portable());
    (directory, loaded)
}

/// The rendered diagnostics of a refused configuration, its directory as `DIR`.
fn refusal(files: &[(&str, &str)]) -> String {
    let (directory, loaded) = load_files(files);
    let refused = loaded.expect_err("this is wrong").to_string();
    refused.replace(&directory.path().display().to_string(), "DIR")
}

#[test]
fn included_files_are_merged_in_the_order_of_their_names() {
    let (directory, loaded) = load_files(&[
        ("main.toml", "include = [\"conf.d/*.toml\"]\n[daemon]\nlog_level = \"debug\"\n"),
        ("conf.d/20-track.toml", "[track.nginx]\nprocess = \"nginx\"\n[daemon]\nscript_user = \"x\"\n"),
        ("conf.d/10-web.toml", &format!("{ROUTER}track = {{ nginx = \"required\" }}\n")),
        ("conf.d/ignored.txt", "not toml"),
    ]);
    let loaded = loaded.expect("good");
    assert_eq!(loaded.plan.groups.len(), 1);
    assert_eq!(loaded.plan.trackers.len(), 1);
    assert_eq!(&*loaded.daemon.script_user, "x");
    let names: Vec<_> = loaded
        .warnings
        .files()
        .iter()
        .map(|path| path.strip_prefix(directory.path()).expect("inside").to_owned())
        .collect();
    assert_eq!(names, ["main.toml", "conf.d/10-web.toml", "conf.d/20-track.toml"].map(Path::new));
}

#[test]
fn a_name_defined_twice_shows_both_places() {
    let refused = refusal(&[
        ("main.toml", &format!("include = [\"b.toml\"]\n{ROUTER}")),
        ("b.toml", "\n[virtual_router.web]\ninterface = \"eth1\"\n"),
    ]);
    let expected = "\
DIR/b.toml:2:17: error: virtual_router.web is defined twice
  |
2 | [virtual_router.web]
  |                 ^^^
DIR/main.toml:2:17: note: it is first defined here
  |
2 | [virtual_router.web]
  |                 ^^^
  = help: keep one of the two
";
    assert_eq!(refused, expected);
}

#[test]
fn errors_of_all_files_come_together() {
    let refused = refusal(&[
        ("main.toml", "include = [\"*.d/*.toml\", \"missing.toml\", \"***\"]\n[daemon]\nlog_level = 1\n"),
        ("a.d/a.toml", "[track.a]\nping = \"x y\"\ninclude = []\n"),
        ("a.d/b.toml", "include = [\"c.toml\"]\n= 1\n"),
    ]);
    for line in [
        "DIR/main.toml:1:26: error: there is no file DIR/missing.toml",
        "DIR/main.toml:1:42: error: include has a pattern that cannot be: wildcards are either regular `*` or recursive `**`",
        "DIR/main.toml:3:13: error: log_level must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        "DIR/a.d/a.toml:2:8: error: ping must be an IP address",
        "DIR/a.d/a.toml:3:1: error: unknown key include in track",
        "DIR/a.d/b.toml:1:1: error: an included file includes no others",
        "DIR/a.d/b.toml:2:1: error: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`",
    ] {
        assert!(refused.lines().any(|found| found == line), "{line}\n{refused}");
    }
}

#[test]
fn a_pattern_may_match_nothing() {
    let (_directory, loaded) = load_files(&[("main.toml", &format!("include = [\"conf.d/*.toml\"]\n{ROUTER}"))]);
    assert!(loaded.is_ok());
}

#[test]
fn a_file_that_is_not_there_or_not_text() {
    let missing = load(Path::new("/nowhere/vrrpd.toml"), &Context::portable()).expect_err("there is none");
    assert_eq!(missing.to_string(), "/nowhere/vrrpd.toml: No such file or directory (os error 2)");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.toml");
    fs::write(&path, b"[daemon]\n# caf\xe9\n").expect("written");
    let refused = load(&path, &Context::portable()).expect_err("latin-1").to_string();
    assert!(refused.contains("x.toml:2:6: error: the file is not UTF-8 from here on"), "{refused}");
}
