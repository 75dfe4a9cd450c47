//! What an operator is told by name stands in `docs/troubleshooting.md` with what to do about it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands in a source file between `head` and the next line that is only `}`.
fn block(source: &str, head: &str) -> String {
    let text = read(source);
    let (_, rest) = text.split_once(head).unwrap_or_else(|| panic!("{source} has no {head}"));
    rest.split_once("\n}").expect("a block ends").0.to_owned()
}

/// The string of every arm `Self::Variant => "name"`.
fn names(block: &str) -> BTreeSet<String> {
    let arms = block.lines().filter_map(|line| line.split_once("=> \"")?.1.split_once('"'));
    arms.map(|(name, _)| name.to_owned()).collect()
}

/// The variants of an enum, in the snake case that the status shows.
fn variants(block: &str) -> BTreeSet<String> {
    let lines = block.lines().filter_map(|line| line.strip_prefix("    "));
    lines.filter(|line| line.starts_with(char::is_uppercase)).map(snake_case).collect()
}

fn snake_case(variant: &str) -> String {
    let letters = variant.chars().take_while(|letter| letter.is_alphanumeric());
    let broken =
        letters.flat_map(|letter| letter.is_uppercase().then_some('_').into_iter().chain(letter.to_lowercase()));
    broken.skip(1).collect()
}

/// The names in the first column of the page's tables.
fn explained() -> BTreeSet<String> {
    let page = read("docs/troubleshooting.md");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn assert_explained(named: &BTreeSet<String>, at_least: usize) {
    assert!(named.len() >= at_least, "the source is written in a way that this test does not read: {named:?}");
    let missing: Vec<_> = named.difference(&explained()).cloned().collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md does not explain {missing:?}");
}

#[test]
fn every_reason_of_a_change_is_explained() {
    assert_explained(&names(&block("src/vrrp/record.rs", "impl Why {")), 15);
}

#[test]
fn everything_that_makes_a_router_unfit_is_explained() {
    assert_explained(&variants(&block("src/vrrp/verdict.rs", "pub enum Unfit {")), 8);
}

#[test]
fn every_warning_about_a_packet_is_explained() {
    assert_explained(&names(&block("src/engine/oddity.rs", "impl Oddity {")), 15);
}

#[test]
fn every_warning_that_is_counted_at_the_interface_is_explained() {
    assert_explained(&names(&block("src/engine/receive.rs", "let name = match rejection.error {")), 6);
}
