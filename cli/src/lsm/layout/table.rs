//! One record a line, its properties in columns.
//!
//! All columns are padded to their widest cell, the last one too: scripts that cut by columns rely on it. A list takes a line for
//! each of its elements, on which the other columns are blank.

use super::{Cell, pad, width};

pub fn table(headings: Option<&[&str]>, rows: &[Vec<Cell>], separator: &str) -> String {
    let widths = widths(headings, rows);
    let mut text = String::new();
    if let Some(headings) = headings {
        let cells = headings.iter().map(|heading| (*heading).into()).map(Cell::One).collect::<Vec<_>>();
        line(&mut text, &widths, &cells, 0, separator);
        let gaps = width(separator) * widths.len().saturating_sub(1);
        text.extend(std::iter::repeat_n('-', widths.iter().sum::<usize>() + gaps));
        text.push('\n');
    }
    for row in rows {
        let height = row.iter().map(Cell::height).max().unwrap_or_default().max(1);
        for at in 0..height {
            line(&mut text, &widths, row, at, separator);
        }
    }
    text
}

fn widths(headings: Option<&[&str]>, rows: &[Vec<Cell>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let heading =
        |column: usize| headings.and_then(|headings| headings.get(column)).map_or(1, |text| width(text));
    let mut widths: Vec<usize> = (0..columns).map(|column| heading(column).max(1)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = cell.width().max(*widest);
        }
    }
    widths
}

fn line(text: &mut String, widths: &[usize], cells: &[Cell], at: usize, separator: &str) {
    for (column, (width, cell)) in widths.iter().zip(cells).enumerate() {
        if column > 0 {
            text.push_str(separator);
        }
        pad(text, cell.line(at), *width);
    }
    text.push('\n');
}

impl Cell<'_> {
    fn height(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(texts) => texts.len(),
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::One(text) => width(text),
            Self::Several(texts) => texts.iter().map(|text| width(text)).max().unwrap_or_default(),
        }
    }

    fn line(&self, at: usize) -> &str {
        match self {
            Self::One(text) if at == 0 => text,
            Self::One(_) => "",
            Self::Several(texts) => texts.get(at).map_or("", |text| text),
        }
    }
}
