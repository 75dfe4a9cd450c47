//! `vrrpctl watch`: the state of everything and the last changes, live in a terminal.

mod feed;
mod view;

use super::client::ClientError;
use super::ctl::Verdict;
use feed::News;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use view::View;

/// How long a key is waited for before news are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Runs until the operator quits.
pub(super) fn watch(socket: &Path) -> Result<Verdict, ClientError> {
    if !io::stdout().is_terminal() {
        let advice = "this is not a terminal: vrrpctl status and vrrpctl events are for scripts and files";
        return Err(ClientError::Output(io::Error::other(advice)));
    }
    let news = feed::start(socket);
    // Also puts the terminal back in order should anything panic.
    let mut terminal = ratatui::init();
    let ended = run(&mut terminal, &news);
    ratatui::restore();
    ended.map_err(ClientError::Output)?;
    Ok(Verdict::Done)
}

fn run(terminal: &mut DefaultTerminal, news: &Receiver<News>) -> io::Result<()> {
    let mut view = View::default();
    loop {
        for one in news.try_iter() {
            view.learn(one);
        }
        terminal.draw(|frame| view.draw(frame))?;
        if !event::poll(LOOK)? {
            continue;
        }
        // A change of the terminal's size needs nothing but to draw again.
        if let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            match action(key) {
                Some(Action::Quit) => return Ok(()),
                Some(Action::Up) => view.scroll(-1),
                Some(Action::Down) => view.scroll(1),
                Some(Action::PageUp) => view.scroll(-10),
                Some(Action::PageDown) => view.scroll(10),
                None => {}
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Action {
    Quit,
    Up,
    Down,
    PageUp,
    PageDown,
}

fn action(key: KeyEvent) -> Option<Action> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Some(Action::Quit),
        KeyCode::Char('c') if control => Some(Action::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(Action::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Action::Down),
        KeyCode::PageUp => Some(Action::PageUp),
        KeyCode::PageDown => Some(Action::PageDown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_the_help_names() {
        for (code, modifiers, expected) in [
            (KeyCode::Char('q'), KeyModifiers::NONE, Some(Action::Quit)),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Action::Quit)),
            (KeyCode::Char('c'), KeyModifiers::NONE, None),
            (KeyCode::Up, KeyModifiers::NONE, Some(Action::Up)),
            (KeyCode::Down, KeyModifiers::NONE, Some(Action::Down)),
            (KeyCode::PageDown, KeyModifiers::NONE, Some(Action::PageDown)),
        ] {
            assert_eq!(action(KeyEvent::new(code, modifiers)), expected, "{code:?}");
        }
    }
}
