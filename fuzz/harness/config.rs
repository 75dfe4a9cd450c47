//! A configuration file: whatever it says, what is wrong with it is told with a place in it, and what loads can be run.

use std::path::Path;
use vrrpd::config::{Context, load_text};
use vrrpd::engine::{Engine, Event, Provenance};
use vrrpd::time::Timestamp;

/// Tries one input.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let loaded = match load_text(Path::new("vrrpd.toml"), text, &Context::portable()) {
        Err(diagnostics) => return check_places(&diagnostics.to_string(), text),
        Ok(loaded) => loaded,
    };
    check_places(&loaded.warnings.to_string(), text);
    assert!(loaded.plan.diff(&loaded.plan).is_empty(), "a reload of the same file changes nothing");
    let (mut engine, mut actions) = (Engine::new(0), Vec::new());
    engine.reconfigure(&loaded.plan, Provenance::default(), Timestamp::ZERO, &mut actions);
    engine.handle(Event::Tick, Timestamp::ZERO, &mut actions);
    engine.handle(Event::Shutdown, Timestamp::ZERO, &mut actions);
}

fn check_places(rendered: &str, text: &str) {
    let lines = text.split('\n').count();
    for line in rendered.lines().filter_map(|line| line.strip_prefix("vrrpd.toml:")) {
        let number = line.split(':').next().and_then(|number| number.parse::<usize>().ok());
        assert!(number.is_none_or(|number| (1..=lines).contains(&number)), "{line}");
    }
}
