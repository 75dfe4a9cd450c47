//! Every file of `tests/config/bad` is refused, or warned about, with exactly the text that stands beside it.

use crate::portable;
use std::fs;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory is in the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// With `VRRPD_BLESS=1` the expected texts are written instead: read the difference before committing it.
#[test]
fn bad_files_get_exactly_these_diagnostics() {
    let bless = std::env::var_os("VRRPD_BLESS").is_some();
    let files = files();
    assert!(files.len() >= 6, "{files:?}");
    let mut wrong = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("readable");
        let rendered = portable(&text).map_or_else(|errors| errors, |loaded| loaded.warnings).to_string();
        let beside = path.with_extension("expected");
        if bless {
            fs::write(&beside, &rendered).expect("writable");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if rendered != expected {
            wrong.push(format!("{}:\n{rendered}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_of_the_contract_is_rendered_to_the_letter() {
    let text = format!(
        "{}[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 300\nvirtual_addresses = [\"192.0.2.1/24\"]\n",
        "\n".repeat(20)
    );
    let errors = portable(&text).expect_err("300 is no virtual router identifier");
    let expected = "\
vrrpd.toml:23:21: error: virtual_router_id must be 1 to 255
   |
23 | virtual_router_id = 300
   |                     ^^^
   = help: keepalived calls this virtual_router_id too; it must be the same on every host of the pair
";
    assert_eq!(errors.to_string(), expected);
}
