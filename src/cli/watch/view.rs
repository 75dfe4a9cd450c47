//! What is shown, and how: routers, tracks, and the time line of the last changes. Drawing reads nothing but the view.

use super::feed::News;
use crate::cli::table::age;
use crate::control::{Document, RouterDocument, TrackDocument, one_line};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState};
use std::collections::VecDeque;

/// Records that are kept for the time line.
const KEPT: usize = 500;

/// Everything that is on the screen.
#[derive(Debug, Default)]
pub(super) struct View {
    document: Option<Document>,
    /// The newest first.
    records: VecDeque<(String, String)>,
    trouble: Option<String>,
    routers: TableState,
}

impl View {
    /// Takes what came in.
    pub(super) fn learn(&mut self, news: News) {
        match news {
            News::Status(document) => {
                self.trouble = None;
                self.document = Some(*document);
            }
            News::Trouble(trouble) => self.trouble = Some(trouble),
            News::Record { time, text } => {
                self.records.push_front((time, one_line(&text)));
                self.records.truncate(KEPT);
            }
        }
    }

    /// Moves through the routers.
    pub(super) fn scroll(&mut self, by: i16) {
        let last = self.document.as_ref().map_or(0, |document| document.virtual_routers.len()).saturating_sub(1);
        let now = self.routers.selected().unwrap_or(0);
        let steps = usize::from(by.unsigned_abs());
        let next = if by < 0 { now.saturating_sub(steps) } else { now.saturating_add(steps) };
        self.routers.select(Some(next.min(last)));
    }

    /// Draws all of it, in whatever room there is.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let (routers, tracks) =
            self.document.as_ref().map_or((0, 0), |document| (document.virtual_routers.len(), document.tracks.len()));
        // Two lines of frame and one of headings; the time line keeps at least a third of the screen.
        let half = frame.area().height / 2;
        let room = |rows: usize| u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(3);
        let for_routers = room(routers).min(half).max(4);
        let for_tracks = if tracks == 0 { 0 } else { room(tracks).min(frame.area().height / 4).max(4) };
        let [top, upper, middle, lower, bottom] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(for_routers),
            Constraint::Length(for_tracks),
            Constraint::Min(3),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.heading(), top);
        self.draw_routers(frame, upper);
        self.draw_tracks(frame, middle);
        self.draw_records(frame, lower);
        let help = " q quit   up/down router   PgUp/PgDn ten routers";
        frame.render_widget(Line::from(help).style(Style::new().add_modifier(Modifier::REVERSED)), bottom);
    }

    fn heading(&self) -> Line<'_> {
        let status = self.document.as_ref().map_or_else(
            || Span::raw("vrrpd"),
            |document| {
                let Document { version, pid, config, started, time, .. } = document;
                let up = age(started, time);
                Span::raw(format!("vrrpd {version}, pid {pid}, up {up}, configuration {}", config.generation)).bold()
            },
        );
        let trouble = self.trouble.as_ref().map(|trouble| format!("  {trouble}").red().bold());
        [Some(status), trouble].into_iter().flatten().collect()
    }

    fn draw_routers(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let Some(document) = &self.document else {
            frame.render_widget(Block::bordered().title(" Virtual routers "), area);
            return;
        };
        let rows = document.virtual_routers.iter().map(|one| router(one, &document.time));
        let names = document.virtual_routers.iter().map(|router| router.name.chars().count()).max();
        let interfaces = document.virtual_routers.iter().map(|router| router.interface.chars().count()).max();
        let widths = [
            width_of(names, 6, area.width / 4),
            width_of(interfaces, 9, 15),
            Constraint::Length(4),
            Constraint::Length(14),
            Constraint::Length(8),
            Constraint::Length(7),
            Constraint::Fill(1),
        ];
        // Where the last column has no room for it.
        let chosen = document.virtual_routers.get(self.routers.selected().unwrap_or(0));
        let chosen = chosen.filter(|_| area.width < ROOMY).map(|one| format!(" {}: {} ", one.name, why(one)));
        let block = Block::bordered().title(" Virtual routers ").title_bottom(chosen.unwrap_or_default());
        let heading = ["ROUTER", "INTERFACE", "VRID", "STATE", "PRIORITY", "SINCE", "WHY"];
        let table = Table::new(rows, widths)
            .header(Row::new(heading).dim())
            .row_highlight_style(Modifier::REVERSED)
            .block(block);
        frame.render_stateful_widget(table, area, &mut self.routers);
    }

    fn draw_tracks(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(document) = &self.document else { return };
        let rows = document.tracks.iter().map(|one| track(one, &document.time));
        let names = document.tracks.iter().map(|track| track.name.chars().count()).max();
        let widths = [
            width_of(names, 6, area.width / 4),
            Constraint::Length(9),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Fill(1),
        ];
        let table = Table::new(rows, widths)
            .header(Row::new(["TRACK", "KIND", "HEALTH", "SINCE", "LAST RESULT"]).dim())
            .block(Block::bordered().title(" Tracks "));
        frame.render_widget(table, area);
    }

    fn draw_records(&self, frame: &mut Frame<'_>, area: Rect) {
        let line = |(time, text): &(String, String)| {
            let style = if text.contains("-> MASTER") {
                Style::new().fg(Color::Green)
            } else if text.contains("-> FAULT") || text.contains("warning:") {
                Style::new().fg(Color::Red)
            } else {
                Style::new()
            };
            Line::from_iter([Span::raw(format!("{time}  ")).dim(), Span::styled(text.clone(), style)])
        };
        let lines: Vec<Line<'_>> = self.records.iter().take(usize::from(area.height)).map(line).collect();
        frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Last changes ")), area);
    }
}

/// A window this wide shows a router's reason in its row.
const ROOMY: u16 = 120;

/// As wide as the longest text, within bounds.
fn width_of(longest: Option<usize>, least: u16, most: u16) -> Constraint {
    let longest = u16::try_from(longest.unwrap_or(0)).unwrap_or(u16::MAX);
    Constraint::Length(longest.min(most).max(least))
}

fn router<'a>(router: &'a RouterDocument, now: &str) -> Row<'a> {
    let (state, colour) = match router.state.as_str() {
        "FAULT" if router.drained => ("drained".to_owned(), Color::Cyan),
        state if router.drained => (format!("{state} drained"), Color::Cyan),
        "MASTER" => ("MASTER".to_owned(), Color::Green),
        "BACKUP" => ("BACKUP".to_owned(), Color::Blue),
        "FAULT" => ("FAULT".to_owned(), Color::Red),
        other => (other.to_owned(), Color::Yellow),
    };
    let warning = router.warnings.first().map(|warning| format!("{} from {}: ", warning.name, warning.from));
    let why: Line<'_> = [warning.map(Stylize::red), Some(Span::raw(why(router)))].into_iter().flatten().collect();
    let priority = if router.base_priority == router.priority {
        router.priority.to_string()
    } else {
        format!("{}->{}", router.base_priority, router.priority)
    };
    Row::new([
        Cell::from(router.name.as_str().bold()),
        Cell::from(router.interface.as_str()),
        Cell::from(router.virtual_router_id.to_string()),
        Cell::from(state.fg(colour).bold()),
        Cell::from(priority),
        Cell::from(age(&router.since, now)),
        Cell::from(why),
    ])
}

/// Why it is not Master, or why it is and what it holds.
fn why(router: &RouterDocument) -> String {
    let held = || format!("{}: holds {}", router.reason, router.held_addresses.join(", "));
    router.why_not_master.clone().unwrap_or_else(held)
}

fn track<'a>(track: &'a TrackDocument, now: &str) -> Row<'a> {
    let health = match track.healthy {
        Some(true) => "healthy".green(),
        Some(false) => "failing".red(),
        None => "unknown".yellow(),
    };
    Row::new([
        Cell::from(track.name.as_str().bold()),
        Cell::from(track.kind.as_str()),
        Cell::from(health),
        Cell::from(age(&track.since, now)),
        Cell::from(one_line(&track.last_result)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::document;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn view(routers: usize) -> View {
        let mut view = View::default();
        let mut status = document("web", "eth0", "192.168.100.1");
        let one = status.virtual_routers.remove(0);
        for number in 0..routers {
            status.virtual_routers.push(RouterDocument { name: format!("web{number}"), ..one.clone() });
        }
        view.learn(News::Status(Box::new(status)));
        for number in 0..600 {
            let text = format!("web0: BACKUP -> MASTER: change {number}");
            view.learn(News::Record { time: "2026-01-01T00:00:00.000Z".to_owned(), text });
        }
        view
    }

    fn drawn(view: &mut View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let rows = buffer.content().chunks(usize::from(width));
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn an_ordinary_terminal_shows_everything() {
        let lines = drawn(&mut view(2), 80, 24);
        assert_eq!(lines[0], "vrrpd 0.1.0, pid 1234, up 1d 3h, configuration 1");
        assert!(lines[2].contains("ROUTER") && lines[2].contains("WHY"), "{lines:#?}");
        assert!(lines[3].contains("web0") && lines[3].contains("BACKUP") && lines[3].contains("100->80"), "{lines:#?}");
        assert!(lines[4].contains("web1"), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("nginx") && line.contains("connection refused")), "{lines:#?}");
        let newest = lines.iter().position(|line| line.contains("Last changes")).unwrap() + 1;
        assert!(lines[newest].contains("change 599") && lines[newest + 1].contains("change 598"), "{lines:#?}");
        assert!(lines[23].contains("q quit"), "{lines:#?}");
    }

    #[test]
    fn a_narrow_one_says_below_why_the_chosen_router_is_what_it_is() {
        let lines = drawn(&mut view(2), 80, 24);
        let below = lines.iter().find(|line| line.starts_with('└')).expect("the table has an end");
        assert!(below.contains("192.168.100.1 is Master with the higher priority 150"), "{lines:#?}");
    }

    #[test]
    fn a_large_one_has_room_for_the_reason() {
        let lines = drawn(&mut view(2), 200, 50);
        assert!(lines[3].contains("192.168.100.1 is Master with the higher priority 150"), "{lines:#?}");
        assert!(lines.iter().filter(|line| line.contains("change ")).count() > 30, "{lines:#?}");
    }

    #[test]
    fn more_routers_than_fit_are_scrolled() {
        let mut view = view(100);
        assert!(!drawn(&mut view, 80, 24).join("\n").contains("web60"));
        view.scroll(60);
        assert!(drawn(&mut view, 80, 24).join("\n").contains("web60"));
        view.scroll(1000);
        assert!(drawn(&mut view, 80, 24).join("\n").contains("web99"));
        view.scroll(-2000);
        assert!(drawn(&mut view, 80, 24).join("\n").contains("web0 "));
    }

    #[test]
    fn maintenance_warnings_and_a_daemon_that_is_gone_are_seen() {
        let mut view = view(1);
        if let Some(document) = &mut view.document {
            let router = &mut document.virtual_routers[0];
            router.drained = true;
            router.warnings = vec![crate::control::WarningDocument {
                name: "split_brain".to_owned(),
                from: "192.0.2.9".to_owned(),
                since: document.time.clone(),
                detail: String::new(),
            }];
        }
        view.learn(News::Trouble("no daemon answers".to_owned()));
        let text = drawn(&mut view, 200, 50).join("\n");
        for expected in ["BACKUP drained", "split_brain from 192.0.2.9", "no daemon answers"] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(1, 1), (10, 3), (20, 5), (300, 2)] {
            assert_eq!(drawn(&mut view(3), width, height).len(), usize::from(height));
            assert_eq!(drawn(&mut View::default(), width, height).len(), usize::from(height));
        }
    }
}
