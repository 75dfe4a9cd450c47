//! Completion scripts and the manual page, from the definitions of the command line.

use super::arguments::{Arguments, Generated};
use clap::CommandFactory;
use clap_complete::{Shell, generate as complete};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// What a shell or `man` reads.
#[must_use]
pub(super) fn generate(what: Generated) -> String {
    let mut command = Arguments::command();
    let mut out = Vec::new();
    let shell = match what {
        Generated::Bash => Shell::Bash,
        Generated::Zsh => Shell::Zsh,
        Generated::Fish => Shell::Fish,
        Generated::Man => return manual(command),
    };
    complete(shell, &mut command, "vrrpctl", &mut out);
    String::from_utf8(out).expect("scripts are made of text")
}

/// One page for all commands: an operator who looks something up does not want to know which of ten pages it is on.
fn manual(command: clap::Command) -> String {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let page = Man::new(command.clone()).date("2026-11-24").manual("vrrpd");
    let mut out = Vec::new();
    let mut write = |part: &dyn Fn(&mut Vec<u8>) -> std::io::Result<()>| {
        part(&mut out).expect("memory can be written to");
    };
    write(&|out| page.render_title(out));
    write(&|out| page.render_name_section(out));
    write(&|out| page.render_synopsis_section(out));
    write(&|out| page.render_description_section(out));
    write(&|out| commands(&command).to_writer(out));
    write(&|out| page.render_options_section(out));
    write(&|out| closing().to_writer(out));
    String::from_utf8(out).expect("a page is made of text")
}

fn commands(command: &clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        let usage = one.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim_start_matches("vrrpctl ").to_owned();
        roff.control("TP", []);
        roff.text([bold(usage)]);
        let about = one.get_long_about().or_else(|| one.get_about()).map(ToString::to_string).unwrap_or_default();
        for (index, paragraph) in about.split("\n\n").enumerate() {
            if index > 0 {
                roff.control("IP", []);
            }
            roff.text([roman(paragraph)]);
        }
        for argument in one.get_arguments().filter(|argument| !argument.is_hide_set() && !argument.is_global_set()) {
            let name = argument.get_long().map_or_else(
                || argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string),
                |long| Some(format!("--{long}")),
            );
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            if let Some(name) = name.filter(|name| name != "--help") {
                roff.control("IP", []);
                roff.text([bold(name), roman(format!(": {help}"))]);
            }
        }
    }
    roff
}

fn closing() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["WHO MAY"]);
    roff.text([roman(
        "Root and the members of the daemon's control_group (vrrpd). It asks the daemon of this host over its socket.",
    )]);
    roff.control("SH", ["EXIT STATUS"]);
    roff.text([roman("0 done, 1 refused, not healthy or not as asserted, 2 wrong usage or no daemon there.")]);
    roff.control("SH", ["EXAMPLES"]);
    for (purpose, line) in [
        ("For monitoring:", "vrrpctl status --check"),
        (
            "Who holds which address:",
            "vrrpctl status --json | jq '.virtual_routers[] | [.name, .state, .held_addresses]'",
        ),
        ("Hand over for half an hour of maintenance:", "vrrpctl drain --for 30m"),
        ("Why is it not Master?", "vrrpctl explain web"),
        ("What a reload would change:", "vrrpctl reload --dry-run"),
        (
            "Who takes over, and how soon, before anything runs:",
            "vrrpctl simulate a.toml b.toml --event \"5s crash a\" --assert \"one master within 4s\"",
        ),
    ] {
        roff.control("PP", []);
        roff.text([roman(purpose)]);
        roff.control("PP", []);
        roff.text([bold(format!("    {line}"))]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("vrrpd.toml"), roman("(5), "), bold("vrrpd"), roman("(8)")]);
    roff
}

#[cfg(all(test, feature = "watch"))]
mod tests {
    use super::*;
    use std::path::Path;

    /// `packaging/generate` writes them anew.
    #[test]
    fn the_committed_files_are_current() {
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
        for (what, file) in [
            (Generated::Bash, "completions/vrrpctl.bash"),
            (Generated::Zsh, "completions/_vrrpctl"),
            (Generated::Fish, "completions/vrrpctl.fish"),
            (Generated::Man, "man/vrrpctl.1"),
        ] {
            let committed = std::fs::read_to_string(packaging.join(file)).unwrap();
            assert!(committed == generate(what), "packaging/{file} is not current: run packaging/generate");
        }
    }

    #[test]
    fn the_manual_page_names_every_command() {
        let page = generate(Generated::Man);
        for command in Arguments::command().get_subcommands().filter(|one| !one.is_hide_set()) {
            assert!(page.contains(command.get_name().replace('-', "\\-").as_str()), "{}", command.get_name());
        }
        assert!(!page.contains("generate"), "hidden ones are not for people");
    }
}
