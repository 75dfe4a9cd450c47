//! The configuration as an operator meets it: files in, diagnostics or a plan out.

mod bad;
mod checks;
mod command;
mod fake_host;
mod good;
mod host;
mod includes;
mod manual;
mod properties;

use std::path::Path;
use vrrpd::config::{Context, Diagnostics, Loaded, load_text};

/// Loads a text for no particular host.
fn portable(text: &str) -> Result<Loaded, Diagnostics> {
    load_text(Path::new("vrrpd.toml"), text, &Context::portable())
}

/// A text that loads, or the test fails with its diagnostics.
fn good(text: &str) -> Loaded {
    portable(text).unwrap_or_else(|diagnostics| panic!("refused:\n{diagnostics}"))
}

/// Every message of a text, errors and warnings alike.
fn messages(text: &str) -> Vec<String> {
    let found = portable(text).map_or_else(|errors| errors, |loaded| loaded.warnings);
    found.iter().map(|diagnostic| diagnostic.message.clone()).collect()
}

/// A router with one more line.
fn router_with(line: &str) -> String {
    format!(
        "[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\npriority = 100\nvirtual_addresses = [\"192.0.2.10/24\"]\n{line}\n"
    )
}

/// A track that a router uses, with these lines.
fn track_with(lines: &str) -> String {
    format!("[track.it]\n{lines}\n{}", router_with("track = { it = -20 }"))
}
