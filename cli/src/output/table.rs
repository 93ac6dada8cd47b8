//! Tables: aligned for people, tab-separated for programs.

use comfy_table::{Attribute, ColumnConstraint, ContentArrangement, presets};

use super::{
    style::paint,
    view::{Cell, Table},
};

/// Columns side by side under their names, no lines drawn.
pub fn aligned(table: &Table, width: Option<u16>, colour: bool) -> String {
    let mut drawn = bare(colour);
    drawn.set_header(table.columns.iter().map(|name| header(name)));
    for row in &table.rows {
        drawn.add_row(row.iter().map(toned));
    }
    text(drawn, width)
}

/// Names on the left, what they stand for on the right.
pub fn fields(fields: &[(&'static str, Cell)], width: Option<u16>, colour: bool) -> String {
    let mut drawn = bare(colour);
    for (name, cell) in fields {
        drawn.add_row([comfy_table::Cell::new(name), toned(cell)]);
    }
    text(drawn, width)
}

/// One row that cannot know its neighbours: cells of a common width, so that most rows stand under each other.
pub fn line(cells: &[Cell], colour: bool) -> String {
    const WIDTH: usize = 18;
    let painted = cells.iter().map(|cell| paint(&format!("{:<WIDTH$}", cell.text()), cell.tone(), colour));
    format!("{}\n", painted.collect::<Vec<_>>().join("  ").trim_end())
}

/// The column names, then a line a row. A cell holds no tab and no line break: [`Cell`] sees to it.
pub fn tab_separated(table: &Table) -> String {
    let head = format!("{}\n", table.columns.join("\t"));
    table.rows.iter().fold(head, |text, row| text + &tab_separated_line(row))
}

pub fn tab_separated_line(cells: &[Cell]) -> String {
    let texts: Vec<&str> = cells.iter().map(Cell::text).collect();
    format!("{}\n", texts.join("\t"))
}

fn bare(colour: bool) -> comfy_table::Table {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(presets::NOTHING);
    // Whether this is a terminal was found out before; here it is an argument.
    drawn.force_no_tty();
    if colour {
        drawn.enforce_styling();
    }
    drawn
}

fn header(name: &str) -> comfy_table::Cell {
    comfy_table::Cell::new(name).add_attribute(Attribute::Bold)
}

fn toned(cell: &Cell) -> comfy_table::Cell {
    let drawn = comfy_table::Cell::new(cell.text());
    match cell.tone().colour() {
        Some(colour) => drawn.fg(colour),
        None => drawn,
    }
}

/// Without the blanks that the first column's padding puts in front, and those that follow the last one.
fn text(mut drawn: comfy_table::Table, width: Option<u16>) -> String {
    if drawn.column_count() == 0 || (drawn.header().is_none() && drawn.is_empty()) {
        return String::new();
    }
    for (nth, column) in drawn.column_iter_mut().enumerate() {
        column.set_padding(if nth == 0 { (0, 1) } else { (1, 1) });
    }
    if let Some(width) = width {
        wrap_last_column(&mut drawn, width);
    }
    format!("{}\n", drawn.trim_fmt())
}

/// Wraps the last column, which is where long texts are, when it gets a readable width. The others hold names and
/// ids that people copy: these are never broken, and a terminal that is too narrow for them wraps the line itself.
fn wrap_last_column(drawn: &mut comfy_table::Table, width: u16) {
    const READABLE: u16 = 24;
    let widths = drawn.column_max_content_widths();
    let Some((_, others)) = widths.split_last() else { return };
    let taken = others.iter().fold(0u16, |sum, width| sum.saturating_add(width.saturating_add(2)));
    if width.saturating_sub(taken) < READABLE {
        return;
    }
    for nth in 0..others.len() {
        if let Some(column) = drawn.column_mut(nth) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    drawn.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Tone;

    fn table() -> Table {
        let rows = [
            [Cell::new("db1"), Cell::toned("online", Tone::Good)],
            [Cell::new("backup-12"), Cell::toned("offline", Tone::Bad)],
        ];
        Table::new(["HOST", "STATE"], rows.into_iter())
    }

    #[test]
    fn columns_stand_under_their_names() {
        assert_eq!(
            aligned(&table(), None, false),
            "HOST       STATE\ndb1        online\nbackup-12  offline\n"
        );
    }

    #[test]
    fn colour_is_there_only_when_wanted() {
        assert!(aligned(&table(), Some(80), true).contains('\u{1b}'));
        assert!(!aligned(&table(), Some(80), false).contains('\u{1b}'));
    }

    #[test]
    fn only_a_long_text_in_the_last_column_is_wrapped() {
        let why = "one two three four five six seven eight nine ten";
        let id = "0199aaaa-0000-7000-8000-000000000001";
        let table = || Table::new(["RUN", "WHY"], [[Cell::new(id), Cell::new(why)]].into_iter());
        let drawn = aligned(&table(), Some(70), false);
        assert!(drawn.lines().count() > 2 && drawn.contains(id), "{drawn}");
        assert!(drawn.lines().all(|line| line.chars().count() <= 70), "{drawn}");
        for too_narrow in [0, 1, 40] {
            let drawn = aligned(&table(), Some(too_narrow), false);
            assert!(drawn.contains(id) && drawn.contains(why), "{drawn}");
        }
    }

    #[test]
    fn a_pipe_gets_tabs_and_a_header() {
        assert_eq!(tab_separated(&table()), "HOST\tSTATE\ndb1\tonline\nbackup-12\toffline\n");
    }

    #[test]
    fn lines_that_come_one_by_one_keep_their_columns() {
        let row = |kind: &str| line(&[Cell::new(kind), Cell::new("db1")], false);
        assert_eq!(row("host.online").find("db1"), row("device.appeared").find("db1"));
        assert!(row("host.online").ends_with("db1\n"));
    }

    #[test]
    fn an_empty_table_is_its_header() {
        let none = Table::new(["A", "B"], [].into_iter());
        assert_eq!(aligned(&none, None, false), "A  B\n");
        assert_eq!(tab_separated(&none), "A\tB\n");
    }
}
