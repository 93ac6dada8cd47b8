//! One property a line, records divided by rules.
//!
//! As in the original, a list is as wide as its first element when the rules are measured, and an empty list has no line at all.

use super::{Cell, pad, width};

pub fn list(headings: &[&str], rows: &[Vec<Cell>], separator: &str) -> String {
    let key = headings.iter().map(|heading| width(heading)).max().unwrap_or_default().max(1);
    let value = rows.iter().flatten().map(first_width).max().unwrap_or_default().max(1);
    let mut rule = "-".repeat(key + width(separator) + value);
    rule.push('\n');
    let mut text = String::new();
    let line = |text: &mut String, heading: &str, shown: &str| {
        pad(text, heading, key);
        text.push_str(separator);
        pad(text, shown, value);
        text.push('\n');
    };
    for row in rows {
        text.push_str(&rule);
        for (heading, cell) in headings.iter().zip(row) {
            match cell {
                Cell::One(shown) => line(&mut text, heading, shown),
                Cell::Several(several) => {
                    for (at, shown) in several.iter().enumerate() {
                        line(&mut text, if at == 0 { heading } else { "" }, shown);
                    }
                }
            }
        }
    }
    text.push_str(&rule);
    text
}

fn first_width(cell: &Cell) -> usize {
    match cell {
        Cell::One(text) => width(text),
        Cell::Several(texts) => texts.first().map_or(0, |text| width(text)),
    }
}
