//! The manual page and the shipped file say what the reader knows.

use crate::portable;
use std::fs;
use std::path::{Path, PathBuf};
use vrrpd::config::keys::SECTIONS;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_key_stands_in_the_manual_page() {
    let page = fs::read_to_string(in_repository("docs/vrrpd.toml.5.md")).expect("in the repository");
    let documented = |key: &str| page.lines().any(|line| line.starts_with(&format!("| `{key}` |")));
    for section in SECTIONS {
        for (key, help) in section.keys {
            assert!(documented(key), "{key} of {} has no row in the manual page", section.title);
            assert!(!help.is_empty(), "{key} of {} has no help", section.title);
        }
    }
}

#[test]
fn the_shipped_file_is_good_as_it_is_and_with_its_comments_taken_away() {
    let text = fs::read_to_string(in_repository("packaging/vrrpd.toml")).expect("in the repository");
    assert!(portable(&text).is_ok());
    // What an operator would do: the lines that are TOML behind their "# ".
    let is_toml = |line: &str| {
        line.starts_with('[') || line.split('#').next().is_some_and(|code| code.contains(" = ") || code.contains("  ="))
    };
    let active: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| is_toml(line)).collect();
    assert!(active.len() > 15, "{active:#?}");
    let loaded = portable(&active.join("\n")).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    assert_eq!(loaded.warnings.to_string(), "");
    assert_eq!(loaded.plan.trackers.len(), 2);
}
