//! No text makes the loader panic, and what it says always points into the text.

use crate::portable;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn shipped() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["tests/config/bad/everything.toml", "tests/config/bad/warnings.toml", "tests/config/bad/groups.toml"]
        .map(|path| fs::read_to_string(root.join(path)).expect("in the repository"))
        .concat()
}

/// Loads and renders; a panic is the failure.
fn survives(text: &str) {
    let rendered = portable(text).map_or_else(|errors| errors, |loaded| loaded.warnings).to_string();
    let lines = text.split('\n').count();
    for line in rendered.lines().filter(|line| line.starts_with("vrrpd.toml:")) {
        let mut parts = line.split(':').skip(1);
        let Some(Ok(number)) = parts.next().map(str::parse::<usize>) else { continue };
        assert!((1..=lines).contains(&number), "{line}");
    }
}

/// Pieces that make texts which get far into the reader.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "[virtual_router.a]\n",
        "[track.b]\n",
        "[sync_group.c]\n",
        "[notify]\n",
        "[daemon]\n",
        "interface",
        "virtual_router_id",
        "virtual_addresses",
        "track",
        "members",
        "priority",
        "advert_interval",
        "authentication",
        "secret",
        "type",
        "script",
        " = ",
        "\n",
        "{ ",
        " }",
        "[",
        "]",
        ", ",
        "\"",
        "1",
        "-20",
        "255",
        "\"required\"",
        "\"10ms\"",
        "\"1.5s\"",
        "true",
        "\"192.0.2.1/24\"",
        "\"fe80::1/64\"",
        "\"a\"",
        "#",
        "'",
        "\u{fc}",
        "\t",
        ".",
        "99999999999999999999",
        "1979-05-27",
    ];
    prop_oneof![8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn any_octets_as_text(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&String::from_utf8_lossy(&octets));
    }

    #[test]
    fn any_sentence_of_the_language(pieces in proptest::collection::vec(piece(), 0..60)) {
        survives(&pieces.concat());
    }

    #[test]
    fn any_mutation_of_a_real_file(from in 0usize..4000, length in 0usize..40, with in piece()) {
        let text = shipped();
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let (start, end) = (floor(from), floor(from + length));
        survives(&format!("{}{with}{}", &text[..start], &text[end..]));
    }
}
