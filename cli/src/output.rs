//! How answers reach the operator: data on stdout, everything else on stderr.
//!
//! Whatever came over the bus passes [`legible`] on its way to a terminal, here and nowhere else.
//!
//! [`legible`]: sanfleet_protocol::limits::legible

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

use serde::Serialize;

pub mod human;
mod json;
mod style;
mod table;
mod tree;
mod view;

pub use style::{Tone, paint};
pub use view::{Cell, Node, Table, View};

use crate::args::Format;

/// Where the output goes, and how it looks there.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    terminal: bool,
    colour: bool,
    width: Option<u16>,
    talk: Talk,
}

/// The side on which people are talked to: stderr.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    pub terminal: bool,
    pub colour: bool,
}

impl Output {
    /// For this process: what it was told, and what its streams are.
    pub fn new(format: Format) -> Self {
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|value| value == "dumb");
        let terminal = io::stdout().is_terminal();
        let talking = io::stderr().is_terminal();
        Self {
            format,
            terminal,
            colour: terminal && !plain,
            width: terminal.then(|| comfy_table::Table::new().width()).flatten(),
            talk: Talk { terminal: talking, colour: talking && !plain },
        }
    }

    pub fn talk(&self) -> Talk {
        self.talk
    }

    /// Prints an answer: the view of it for people, the reply itself for programs.
    pub fn show<R: Serialize>(&self, reply: &R, view: impl FnOnce(&R) -> View) -> io::Result<()> {
        let text = match self.format {
            Format::Json => json::pretty(reply)?,
            Format::Table => self.render(&view(reply)),
        };
        print(&text)
    }

    /// Prints one of many answers that come one by one: a line each, JSON in a line where JSON is wanted.
    pub fn show_line<R: Serialize>(&self, item: &R, line: impl FnOnce(&R) -> Vec<Cell>) -> io::Result<()> {
        let text = match self.format {
            Format::Json => json::line(item)?,
            Format::Table if self.terminal => table::line(&line(item), self.colour),
            Format::Table => table::tab_separated_line(&line(item)),
        };
        print(&text)
    }

    /// Shows on stderr what a question is about, as for people.
    pub fn talk_of(&self, view: &View) {
        say(view.for_people(self.width, self.talk.colour).trim_end());
    }

    fn render(&self, view: &View) -> String {
        if self.terminal { view.for_people(self.width, self.colour) } else { view.for_programs() }
    }
}

/// Says something to the operator. When nobody listens any more, nothing is lost.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A question on stderr; the answer is typed behind it.
pub fn ask(question: &str) {
    let mut talk = io::stderr().lock();
    let _ = write!(talk, "{question}").and_then(|()| talk.flush());
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
