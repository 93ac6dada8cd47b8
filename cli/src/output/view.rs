//! An answer in the shape in which it is shown: sections of tables, fields and trees.

use sanfleet_protocol::limits::legible;

use super::{Tone, table, tree};

/// What is shown for one answer.
#[derive(Debug, Clone, Default)]
pub struct View(Vec<Section>);

#[derive(Debug, Clone)]
struct Section {
    title: Option<&'static str>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Table(Table),
    Fields(Vec<(&'static str, Cell)>),
    /// A tree for people, and the same in rows for programs.
    Tree(Vec<Node>, Table),
}

/// Rows under column names.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
}

/// A thing with things below it.
#[derive(Debug, Clone)]
pub struct Node {
    pub text: Cell,
    pub below: Vec<Node>,
}

/// One legible line of text, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: legible(text.as_ref()).replace('\n', " "), tone }
    }

    /// A dash where there is nothing, so that columns stay columns.
    pub fn or_dash(text: impl AsRef<str>) -> Self {
        if text.as_ref().is_empty() { Self::toned("-", Tone::Faint) } else { Self::new(text) }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn tone(&self) -> Tone {
        self.tone
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::or_dash(text)
    }
}

impl Table {
    pub fn new<const N: usize>(columns: [&'static str; N], rows: impl Iterator<Item = [Cell; N]>) -> Self {
        Self { columns: columns.to_vec(), rows: rows.map(Vec::from).collect() }
    }
}

impl Node {
    pub fn leaf(text: impl Into<Cell>) -> Self {
        Self { text: text.into(), below: Vec::new() }
    }

    pub fn over(text: impl Into<Cell>, below: Vec<Node>) -> Self {
        Self { text: text.into(), below }
    }
}

impl View {
    pub fn table(table: Table) -> Self {
        Self::default().and_table(None, table)
    }

    pub fn fields(fields: Vec<(&'static str, Cell)>) -> Self {
        Self(vec![Section { title: None, body: Body::Fields(fields) }])
    }

    pub fn tree(nodes: Vec<Node>, rows: Table) -> Self {
        Self(vec![Section { title: None, body: Body::Tree(nodes, rows) }])
    }

    pub fn and_table(mut self, title: impl Into<Option<&'static str>>, table: Table) -> Self {
        self.0.push(Section { title: title.into(), body: Body::Table(table) });
        self
    }

    /// [`View::and_table`], but nothing at all where the table has no rows.
    pub fn and_table_if_any(self, title: &'static str, table: Table) -> Self {
        if table.rows.is_empty() { self } else { self.and_table(title, table) }
    }

    /// Aligned, within the width of the terminal where one is known.
    pub(super) fn for_people(&self, width: Option<u16>, colour: bool) -> String {
        self.render(|body| match body {
            Body::Table(table) => table::aligned(table, width, colour),
            Body::Fields(fields) => table::fields(fields, width, colour),
            Body::Tree(nodes, _) => tree::drawn(nodes, colour),
        })
    }

    /// Tab-separated, with the column names in the first line.
    pub(super) fn for_programs(&self) -> String {
        self.render(|body| match body {
            Body::Table(table) | Body::Tree(_, table) => table::tab_separated(table),
            Body::Fields(fields) => {
                fields.iter().map(|(name, cell)| format!("{name}\t{}\n", cell.text())).collect()
            }
        })
    }

    fn render(&self, body: impl Fn(&Body) -> String) -> String {
        let sections = self.0.iter().map(|section| match section.title {
            Some(title) => format!("{title}\n{}", body(&section.body)),
            None => body(&section.body),
        });
        sections.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
impl View {
    /// As a terminal without colour shows it.
    pub fn plain(&self) -> String {
        self.for_people(None, false)
    }

    /// As a pipe gets it.
    pub fn piped(&self) -> String {
        self.for_programs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_legible_line() {
        assert_eq!(Cell::new("a\u{1b}[2J\nb\tc").text(), "a\u{fffd}[2J b\u{fffd}c");
        assert_eq!(Cell::from("").text(), "-");
    }

    #[test]
    fn sections_stand_apart_and_empty_ones_are_left_out() {
        let rows = || [["x"].map(Cell::from)].into_iter();
        let view = View::fields(vec![("name", "n".into())])
            .and_table_if_any("Full", Table::new(["A"], rows()))
            .and_table_if_any("Empty", Table::new(["B"], [].into_iter()));
        assert_eq!(view.piped(), "name\tn\n\nFull\nA\nx\n");
        assert_eq!(view.plain(), "name  n\n\nFull\nA\nx\n");
    }
}
