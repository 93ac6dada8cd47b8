//! Tables: aligned for people, tab-separated for programs.

use comfy_table::{Attribute, ContentArrangement, presets};

use super::{
    style::paint,
    view::{Cell, Table},
};

/// Columns side by side under their names, no lines drawn. Wraps within `width` where it is known.
pub fn aligned(table: &Table, width: Option<u16>, colour: bool) -> String {
    let mut drawn = bare(width, colour);
    drawn.set_header(table.columns.iter().map(|name| header(name)));
    for row in &table.rows {
        drawn.add_row(row.iter().map(toned));
    }
    trimmed(drawn)
}

/// Names on the left, what they stand for on the right.
pub fn fields(fields: &[(&'static str, Cell)], width: Option<u16>, colour: bool) -> String {
    let mut drawn = bare(width, colour);
    for (name, cell) in fields {
        drawn.add_row([comfy_table::Cell::new(name), toned(cell)]);
    }
    trimmed(drawn)
}

/// One row that cannot know its neighbours: cells with a gap between.
pub fn line(cells: &[Cell], colour: bool) -> String {
    let painted: Vec<String> = cells.iter().map(|cell| paint(cell.text(), cell.tone(), colour)).collect();
    format!("{}\n", painted.join("  "))
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

fn bare(width: Option<u16>, colour: bool) -> comfy_table::Table {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(presets::NOTHING);
    // Whether this is a terminal was found out before; here it is an argument.
    drawn.force_no_tty();
    if colour {
        drawn.enforce_styling();
    }
    if let Some(width) = width {
        drawn.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
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
fn trimmed(mut drawn: comfy_table::Table) -> String {
    for (nth, column) in drawn.column_iter_mut().enumerate() {
        column.set_padding(if nth == 0 { (0, 1) } else { (1, 1) });
    }
    if drawn.column_count() == 0 || (drawn.header().is_none() && drawn.is_empty()) {
        return String::new();
    }
    format!("{}\n", drawn.trim_fmt())
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
    fn a_narrow_terminal_wraps_cells_within_its_width() {
        let wide = Table::new(["WHY"], [[Cell::new("one two three four five six seven")]].into_iter());
        let drawn = aligned(&wide, Some(12), false);
        assert!(drawn.lines().count() > 3 && drawn.lines().all(|line| line.chars().count() <= 12), "{drawn}");
    }

    #[test]
    fn a_pipe_gets_tabs_and_a_header() {
        assert_eq!(tab_separated(&table()), "HOST\tSTATE\ndb1\tonline\nbackup-12\toffline\n");
    }

    #[test]
    fn an_empty_table_is_its_header() {
        let none = Table::new(["A", "B"], [].into_iter());
        assert_eq!(aligned(&none, None, false), "A  B\n");
        assert_eq!(tab_separated(&none), "A\tB\n");
    }
}
