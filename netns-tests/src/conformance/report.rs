//! The outcome as a Markdown table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{EXCEPTIONS, Finding, Needs, Requirement, requirements, scenarios};
use crate::Implementation;

/// What one implementation showed.
#[derive(Debug)]
pub struct Column {
    /// Whose.
    pub implementation: Implementation,
    /// Of every scenario that applies to it.
    pub findings: Vec<Finding>,
}

/// The table: requirement, statement, tests, and a column for each implementation; then what failed, in detail.
#[must_use]
pub fn markdown(columns: &[Column]) -> String {
    let mut text = String::from(
        "# Conformance\n\nEach requirement of RFC 9568, 5798, 3768 and 2338 (and of the RFCs on ARP and neighbour discovery that they lean on) and the\n\
         scenario with real packets that decides it. Made by `netns-tests/conformance --report`. POLICY is where no RFC says anything;\n\
         \"open\" is what only `vrrpd` shows (counters, its configuration), so that nothing is said about the other. keepalived (Debian's 2.2.7) gets its\n\
         crafted adverts of IPv4 version 3 with the pseudo-header in the checksum, since it takes no others.\n\n",
    );
    for column in columns {
        let _ = writeln!(text, "- {}: {}", column.implementation.name(), column.summary());
    }
    let names: Vec<&str> = columns.iter().map(|column| column.implementation.name()).collect();
    let _ = write!(
        text,
        "\n| | level | what it asks for | source | test | {} |\n|---|---|---|---|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for requirement in requirements() {
        let cells: Vec<&str> = columns.iter().map(|column| column.cell(requirement.id)).collect();
        let Requirement { id, source, level, statement } = requirement;
        let _ = writeln!(
            text,
            "| {id} | {level} | {} | {} | {} | {} |",
            escaped(statement),
            escaped(source),
            tests(id),
            cells.join(" | ")
        );
    }
    text.push_str("\n## Not tested\n\n| | why |\n|---|---|\n");
    for exception in EXCEPTIONS {
        let _ = writeln!(text, "| {} | {} |", exception.id, exception.reason);
    }
    for column in columns {
        let failed: Vec<&Finding> = column.findings.iter().filter(|finding| finding.outcome.is_err()).collect();
        if !failed.is_empty() {
            let _ =
                write!(text, "\n## Failed by {}\n\n| | test | seen |\n|---|---|---|\n", column.implementation.name());
        }
        for Finding { id, scenario, outcome } in failed {
            let detail = outcome.as_ref().err().map(String::as_str).unwrap_or_default();
            let _ = writeln!(text, "| {id} | `{scenario}` | {} |", escaped(&detail.replace('\n', " ")));
        }
    }
    text
}

impl Column {
    fn cell(&self, id: &str) -> &'static str {
        let mut own = self.findings.iter().filter(|finding| finding.id == id).peekable();
        if own.peek().is_some() {
            return if own.all(|finding| finding.outcome.is_ok()) { "passed" } else { "**failed**" };
        }
        match scenarios().iter().find(|scenario| scenario.covers.contains(&id)).map(|scenario| scenario.needs) {
            Some(Needs::VirtualMac) if self.implementation == Implementation::Vrrpd => "waits for `mac = \"virtual\"`",
            Some(_) => "open",
            None => "-",
        }
    }

    fn summary(&self) -> String {
        let ids: BTreeSet<&str> = self.findings.iter().map(|finding| finding.id).collect();
        let failed: BTreeSet<&str> =
            self.findings.iter().filter(|finding| finding.outcome.is_err()).map(|finding| finding.id).collect();
        let all = requirements().len();
        format!(
            "{} of {all} requirements tested, {} passed, {} failed",
            ids.len(),
            ids.len() - failed.len(),
            failed.len()
        )
    }
}

fn tests(id: &str) -> String {
    let all = scenarios();
    let names: Vec<String> = all
        .iter()
        .filter(|scenario| scenario.covers.contains(&id))
        .map(|scenario| format!("`{}`", scenario.name))
        .collect();
    if names.is_empty() { "none: see below".to_owned() } else { names.join(", ") }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
