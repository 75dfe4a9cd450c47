//! The status as a table for people: at most 100 columns wide.

use crate::control::{Document, RouterDocument, TrackDocument, one_line, span};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// What a terminal window of ordinary size shows without wrapping.
const WIDTH: usize = 100;
/// Between two columns.
const GAP: usize = 2;
/// In front of the lines that explain a row.
const INDENT: &str = "    ";

/// One cell: what it says and how it looks.
struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }

    fn bold(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new().bold() }
    }

    fn coloured(text: impl Into<String>, colour: AnsiColor) -> Self {
        Self { text: text.into(), style: colour.on_default().bold() }
    }
}

/// A row and the lines that explain it.
struct Row {
    cells: Vec<Cell>,
    notes: Vec<String>,
}

/// The whole status.
pub(super) fn status(document: &Document) -> String {
    let mut out = String::new();
    let Document { version, pid, config, .. } = document;
    let up = age(&document.started, &document.time);
    push_wrapped(
        &mut out,
        "",
        &format!("vrrpd {version}, pid {pid}, up {up}, {} (generation {})", config.path, config.generation),
    );
    out.push('\n');
    let routers = document.virtual_routers.iter().map(|one| router(one, &document.time)).collect();
    section(&mut out, &["ROUTER", "INTERFACE", "VRID", "STATE", "PRIORITY", "MASTER", "SINCE"], routers);
    if !document.sync_groups.is_empty() {
        let groups = document.sync_groups.iter().map(|group| Row {
            cells: vec![
                Cell::plain(&group.name),
                state(&group.state, group.drained),
                Cell::plain(group.priority.to_string()),
                Cell::plain(group.members.join(", ")),
            ],
            notes: group.blocked_by.iter().map(|member| format!("held back by {member}")).collect(),
        });
        out.push('\n');
        section(&mut out, &["SYNC GROUP", "STATE", "PRIORITY", "MEMBERS"], groups.collect());
    }
    if !document.tracks.is_empty() {
        let tracks = document.tracks.iter().map(|one| track(one, &document.time)).collect();
        out.push('\n');
        section(&mut out, &["TRACK", "KIND", "HEALTH", "SINCE", "LAST RESULT"], tracks);
    }
    out
}

fn router(router: &RouterDocument, now: &str) -> Row {
    let master = match &router.master {
        _ if router.state == "MASTER" => "this host".to_owned(),
        Some(master) => match master.priority {
            Some(priority) => format!("{} ({priority})", master.address),
            None => format!("{} (left)", master.address),
        },
        None => "none heard".to_owned(),
    };
    let priority = if router.base_priority == router.priority {
        router.priority.to_string()
    } else {
        format!("{}->{}", router.base_priority, router.priority)
    };
    let mut notes = vec![format!("{}: {}", router.reason, held(router))];
    for warning in &router.warnings {
        let lasts = age(&warning.since, now);
        notes.push(format!("WARNING {} from {} for {lasts}: {}", warning.name, warning.from, warning.detail));
    }
    notes.extend(router.why_not_master.iter().map(|why| format!("not Master: {why}")));
    Row {
        cells: vec![
            Cell::bold(&router.name),
            Cell::plain(&router.interface),
            Cell::plain(router.virtual_router_id.to_string()),
            state(&router.state, router.drained),
            Cell::plain(priority),
            Cell::plain(master),
            Cell::plain(age(&router.since, now)),
        ],
        notes,
    }
}

fn held(router: &RouterDocument) -> String {
    if router.held_addresses.is_empty() {
        format!("holds none of {}", router.virtual_addresses.join(", "))
    } else {
        format!("holds {}", router.held_addresses.join(", "))
    }
}

fn state(state: &str, drained: bool) -> Cell {
    match state {
        // Maintenance is not a fault, whatever fails meanwhile.
        "FAULT" if drained => Cell::coloured("drained", AnsiColor::Cyan),
        _ if drained => Cell::coloured(format!("{state} drained"), AnsiColor::Cyan),
        "MASTER" => Cell::coloured(state, AnsiColor::Green),
        "BACKUP" => Cell::coloured(state, AnsiColor::Blue),
        "FAULT" => Cell::coloured(state, AnsiColor::Red),
        _ => Cell::coloured(state, AnsiColor::Yellow),
    }
}

fn track(track: &TrackDocument, now: &str) -> Row {
    let health = match track.healthy {
        Some(true) => Cell::coloured("healthy", AnsiColor::Green),
        Some(false) => Cell::coloured("failing", AnsiColor::Red),
        None => Cell::coloured("unknown", AnsiColor::Yellow),
    };
    let result = one_line(&track.last_result);
    Row {
        cells: vec![
            Cell::bold(&track.name),
            Cell::plain(&track.kind),
            health,
            Cell::plain(age(&track.since, now)),
            Cell::plain(result),
        ],
        notes: Vec::new(),
    }
}

/// A heading and its rows. Columns are as wide as what stands in them; where that is too much, the widest give way.
fn section(out: &mut String, heading: &[&str], rows: Vec<Row>) {
    let mut widths: Vec<usize> = heading.iter().map(|title| title.len()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    shrink(&mut widths);
    let heading = heading.iter().map(|title| Cell { text: (*title).to_owned(), style: Style::new().dimmed() });
    push_cells(out, &heading.collect::<Vec<_>>(), &widths);
    for row in rows {
        push_cells(out, &row.cells, &widths);
        for note in &row.notes {
            push_wrapped(out, INDENT, note);
        }
    }
}

fn shrink(widths: &mut [usize]) {
    let room = WIDTH.saturating_sub(GAP * widths.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else { return };
        *widest -= 1;
    }
}

fn push_cells(out: &mut String, cells: &[Cell], widths: &[usize]) {
    let last = cells.len().saturating_sub(1);
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let text = clipped(&cell.text, *width);
        let padding = if column == last { 0 } else { width - text.chars().count() + GAP };
        let (on, off) = (cell.style.render(), cell.style.render_reset());
        let _ = write!(out, "{on}{text}{off}{:padding$}", "");
    }
    out.push('\n');
}

fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Words that fit, line by line; a word longer than a line stands alone.
fn push_wrapped(out: &mut String, indent: &str, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            out.push_str(indent);
            column = indent.len();
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

/// How long before `now` (both RFC 3339) something was, in its two greatest units: `3h 12m`.
pub(super) fn age(since: &str, now: &str) -> String {
    let (Ok(since), Ok(now)) = (humantime::parse_rfc3339(since), humantime::parse_rfc3339(now)) else {
        return "?".to_owned();
    };
    span(now.duration_since(since).unwrap_or_default())
}

/// A Backup and a failing track, for tests.
#[cfg(test)]
pub(super) fn document(name: &str, interface: &str, master: &str) -> Document {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "version": "0.1.0", "pid": 1234, "started": "2026-01-01T00:00:00.000Z",
        "time": "2026-01-02T03:04:05.000Z",
        "config": {"path": "/etc/vrrpd/vrrpd.toml", "generation": 1, "loaded": "2026-01-01T00:00:00.000Z"},
        "virtual_routers": [{
            "name": name, "interface": interface, "family": "ipv4", "virtual_router_id": 51, "version": 3,
            "state": "BACKUP", "since": "2026-01-02T03:00:00.000Z", "reason": "higher_priority",
            "base_priority": 100, "priority": 80, "advert_interval_ms": 1000, "master_interval_ms": 1000,
            "master": {"address": master, "priority": 150, "heard_ms_ago": 250.0},
            "virtual_addresses": ["192.168.100.10/24"], "held_addresses": [], "virtual_mac": null,
            "sync_group": null, "transitions": 1, "blocked_by": null, "tracks": [], "counters": {},
            "unfit": null, "why_not_master": format!("{master} is Master with the higher priority 150"),
            "drained": false, "waits_for": [], "deadline_in_ms": null,
        }],
        "sync_groups": [],
        "tracks": [{"name": "nginx", "kind": "http", "healthy": false, "since": "2026-01-02T03:04:01.500Z",
                    "last_result": "connection refused", "runs": 12, "failures": 3, "last_duration_ms": 0.4}],
        "interfaces": [],
    }))
    .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn without_colour(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_backup_and_a_failing_track() {
        assert_eq!(
            without_colour(&status(&document("web", "eth0", "192.168.100.1"))),
            "vrrpd 0.1.0, pid 1234, up 1d 3h, /etc/vrrpd/vrrpd.toml (generation 1)

ROUTER  INTERFACE  VRID  STATE   PRIORITY  MASTER               SINCE
web     eth0       51    BACKUP  100->80   192.168.100.1 (150)  4m 5s
    higher_priority: holds none of 192.168.100.10/24
    not Master: 192.168.100.1 is Master with the higher priority 150

TRACK  KIND  HEALTH   SINCE  LAST RESULT
nginx  http  failing  3.5s   connection refused
"
        );
    }

    #[test]
    fn a_router_that_is_not_healthy_is_red_and_a_drained_one_is_not() {
        let red = AnsiColor::Red.on_default().bold().render().to_string();
        let mut document = document("web", "eth0", "192.168.100.1");
        document.tracks.clear();
        document.virtual_routers[0].state = "FAULT".to_owned();
        assert!(status(&document).contains(&format!("{red}FAULT")));
        document.virtual_routers[0].state = "BACKUP".to_owned();
        document.virtual_routers[0].drained = true;
        assert!(!status(&document).contains(&red));
        assert!(without_colour(&status(&document)).contains("BACKUP drained"));
    }

    #[test]
    fn no_line_is_wider_than_a_hundred_columns() {
        let long = "a-virtual-router-with-a-name-that-somebody-thought-very-hard-about";
        let mut document = document(long, "fifteen-letters", "2001:db8:1234:5678:9abc:def0:1234:5678");
        document.tracks[0].last_result = "no ".repeat(100);
        let virtual_addresses = (0..50).map(|host| format!("2001:db8:1234:5678:9abc:def0:1234:{host}/64"));
        document.virtual_routers[0].virtual_addresses = virtual_addresses.collect();
        let text = without_colour(&status(&document));
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
        assert!(text.contains("2001:db8:1234:5678:9abc:def0:1234:49/64"), "nothing of the notes is lost: {text}");
    }

    #[test]
    fn ages_have_their_two_greatest_units() {
        for (seconds, expected) in [(0, "0.0s"), (59, "59.0s"), (61, "1m 1s"), (7260, "2h 1m"), (200_000, "2d 7h")] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }
}
