//! Records as lsmcli shows them. Pure: records and a style go in, text comes out.
//!
//! Each class has its columns in one table (`layout/columns.rs`), a column gives a [`Value`], the style makes cells of the values,
//! and a layout makes lines of the cells.

mod columns;
mod list;
mod table;
mod words;

use std::borrow::Cow;

pub use columns::{CacheRow, Located, PluginRow, PoolRow, RaidCreateRow, RaidRow};
pub use list::list;
use table::table;

use crate::lsm::size;

/// Between columns, unless another separator is wanted.
pub const SEPARATOR: &str = " | ";

/// How records are to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    pub human: bool,
    pub raw_numbers: bool,
    pub script: bool,
    /// An empty one separates with nothing but keeps the header.
    pub terse: Option<String>,
    pub header: bool,
}

impl Style {
    pub fn separator(&self) -> &str {
        self.terse.as_deref().unwrap_or(SEPARATOR)
    }

    fn has_header(&self) -> bool {
        self.header || self.terse.as_deref().is_none_or(str::is_empty)
    }
}

/// One property of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i128),
    /// A size, which people may want in larger units.
    Bytes(i128),
    /// A number of the protocol and what it is called.
    Word {
        number: i128,
        word: Cow<'static, str>,
    },
    /// What is said of a property that the array does not have, where words are wanted.
    Lacking(&'static str),
    List(Vec<Value<'a>>),
}

/// One column of a class.
pub struct Column<T> {
    pub heading: &'static str,
    /// Only shown when all properties are.
    pub detail: bool,
    pub value: for<'a> fn(&'a T) -> Value<'a>,
}

/// A class whose records can be shown.
pub trait Shown: Sized + 'static {
    const COLUMNS: &'static [Column<Self>];
}

/// What stands in one place: one text, or several below each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    One(Cow<'a, str>),
    Several(Vec<Cow<'a, str>>),
}

/// The records in that style, with an end of line after each line. Nothing for no records, not even a header.
pub fn show<T: Shown>(records: &[T], style: &Style) -> String {
    if records.is_empty() {
        return String::new();
    }
    let columns: Vec<&Column<T>> =
        T::COLUMNS.iter().filter(|column| style.script || !column.detail).collect();
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let rows = records
        .iter()
        .map(|record| columns.iter().map(|column| cell((column.value)(record), style)).collect());
    let rows: Vec<Vec<Cell>> = rows.collect();
    match style.script {
        true => list(&headings, &rows, style.separator()),
        false => table(style.has_header().then_some(headings.as_slice()), &rows, style.separator()),
    }
}

fn cell<'a>(value: Value<'a>, style: &Style) -> Cell<'a> {
    match value {
        Value::List(values) => Cell::Several(values.into_iter().map(|value| text(value, style)).collect()),
        value => Cell::One(text(value, style)),
    }
}

fn text<'a>(value: Value<'a>, style: &Style) -> Cow<'a, str> {
    match value {
        Value::Text(text) => on_one_line(text),
        Value::Bytes(bytes) if style.human => size::human(bytes).into(),
        Value::Bytes(number) | Value::Number(number) => number.to_string().into(),
        Value::Word { number, .. } if style.raw_numbers => number.to_string().into(),
        Value::Word { word, .. } => word,
        Value::Lacking(_) if style.raw_numbers => "".into(),
        Value::Lacking(word) => word.into(),
        // Lists do not nest.
        Value::List(values) => values
            .into_iter()
            .map(|value| text(value, style).into_owned())
            .collect::<Vec<_>>()
            .join(",")
            .into(),
    }
}

/// What an array calls its things may neither break a line nor drive a terminal.
fn on_one_line(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().into()
}

/// Letters, which is what columns are aligned by.
fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Appends the text and blanks up to the width.
fn pad(line: &mut String, text: &str, to: usize) {
    line.push_str(text);
    line.extend(std::iter::repeat_n(' ', to.saturating_sub(width(text))));
}

#[cfg(test)]
mod tests;
