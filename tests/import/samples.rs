//! Whole files of all kinds: each becomes the TOML that stands beside it, and vrrpd would run it.

use crate::SomeHost;
use std::fs;
use std::path::{Path, PathBuf};
use vrrpd::config::keepalived::{Import, NoteKind, import};
use vrrpd::config::{Context, load_text};

fn samples() -> Vec<PathBuf> {
    let directory = Path::new("tests/import/samples");
    let entries = fs::read_dir(directory).expect("in the repository").map(|entry| entry.expect("readable").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    found.sort();
    found
}

fn import_file(path: &Path) -> Import {
    let text = fs::read_to_string(path).expect("a text");
    import(path, &text, &SomeHost::default())
}

/// With `VRRPD_BLESS=1` the expected texts are written instead: read the difference before committing it.
#[test]
fn every_sample_becomes_what_stands_beside_it() {
    let bless = std::env::var_os("VRRPD_BLESS").is_some();
    assert!(samples().len() >= 12);
    for path in samples() {
        let imported = import_file(&path);
        if bless {
            fs::write(path.with_extension("toml"), &imported.toml).expect("writable");
        }
        let expected = fs::read_to_string(path.with_extension("toml")).unwrap_or_default();
        assert_eq!(imported.toml, expected, "{}", path.display());
    }
}

#[test]
fn every_sample_is_taken_on_any_host() {
    for path in samples() {
        let imported = import_file(&path);
        assert!(imported.refused.is_none(), "{}:\n{}", path.display(), imported.refused.expect("just looked"));
        let loaded = load_text(Path::new("imported.toml"), &imported.toml, &Context::portable()).expect("taken");
        assert!(!loaded.plan.groups.is_empty(), "{} leaves nothing to run", path.display());
    }
}

#[test]
fn every_remark_stands_in_the_toml_once() {
    for path in samples() {
        let imported = import_file(&path);
        for note in &imported.notes {
            let line = format!("# {note}");
            let times = imported.toml.lines().filter(|other| **other == line).count();
            assert_eq!(times, 1, "{line}");
        }
    }
}

#[test]
fn only_careless_files_have_lines_that_are_wrong() {
    for path in samples() {
        let wrong = import_file(&path).notes.iter().any(|note| note.kind == NoteKind::Broken);
        let careless = ["careless", "strict", "track-scripts"]
            .iter()
            .any(|name| path.file_stem().is_some_and(|stem| stem == *name));
        assert_eq!(wrong, careless, "{}", path.display());
    }
}

/// Every line with something on it is in the TOML, or a remark is about it, or it means the same without a word.
#[test]
fn nothing_is_lost_in_silence() {
    let path = Path::new("tests/import/samples/virtual-routes.conf");
    let imported = import_file(path);
    for lost in ["static_ipaddress", "static_routes", "bfd_instance", "virtual_routes", "virtual_rules", "track_bfd"] {
        let text = fs::read_to_string(path).expect("a text");
        let line = text.lines().position(|line| line.trim_start().starts_with(lost)).expect("in the sample") + 1;
        let note = imported.notes.iter().find(|note| note.line() == line && note.kind == NoteKind::Unmapped);
        assert!(note.is_some(), "{lost} on line {line}");
    }
}
