//! A table: a name in front, figures behind it, right-aligned. Columns that say nothing are left out, and where there is
//! no room the less important ones.

use super::{INDENT, Page, cut, padded, width};

/// What to do with a column for want of room, or if it is empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Keep {
    /// The first to go, and gone if there is nothing in it.
    IfRoom,
    /// Stays longer, but goes if there is nothing in it.
    IfAny,
    /// Goes last, but goes if there is nothing in it.
    Important,
    /// Goes last.
    Always,
}

/// One column of figures.
struct Column {
    head: &'static str,
    keep: Keep,
    cells: Vec<String>,
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| width(cell)).max().unwrap_or(0).max(width(self.head))
    }

    fn says_nothing(&self) -> bool {
        self.cells.iter().all(|cell| matches!(cell.as_str(), "0" | "0s" | NONE))
    }
}

/// What stands where there is no figure.
pub(super) const NONE: &str = "–";

/// A table in the making.
pub(super) struct Table {
    head: &'static str,
    names: Vec<String>,
    columns: Vec<Column>,
}

impl Table {
    /// A table of these names; an indented name belongs to the one above.
    pub(super) fn new(head: &'static str, names: Vec<String>) -> Self {
        Self { head, names, columns: Vec::new() }
    }

    /// With one more column, a cell a name.
    pub(super) fn column(mut self, head: &'static str, keep: Keep, cells: impl IntoIterator<Item = String>) -> Self {
        let column = Column { head, keep, cells: cells.into_iter().collect() };
        if keep == Keep::Always || !column.says_nothing() {
            self.columns.push(column);
        }
        self
    }

    /// The table's lines; nothing if it has no rows.
    pub(super) fn render(mut self, page: &Page<'_>) -> String {
        if self.names.is_empty() {
            return String::new();
        }
        let names = self.fit(page.width);
        let head = self.columns.iter().map(|column| format!("  {:>1$}", column.head, column.width()));
        let head: String = format!("{INDENT}{}{}", padded(self.head, names), head.collect::<String>());
        let mut text = format!("{}\n", page.paint.faint(head.trim_end()));
        for (row, name) in self.names.iter().enumerate() {
            let cells = self.columns.iter().map(|column| {
                let cell = column.cells.get(row).map_or(NONE, String::as_str);
                format!("  {}{cell}", " ".repeat(column.width() - width(cell)))
            });
            text += format!("{INDENT}{}{}", padded(&cut(name, names), names), cells.collect::<String>()).trim_end();
            text.push('\n');
        }
        text
    }

    /// Takes columns out, the least important and last ones first, until the rest fits; answers the room for names.
    fn fit(&mut self, room: usize) -> usize {
        let longest = self.names.iter().map(|name| width(name)).max().unwrap_or(0).max(width(self.head));
        let least = longest.min(20);
        loop {
            let figures: usize = self.columns.iter().map(|column| column.width() + 2).sum();
            let left = room.saturating_sub(INDENT.len() + figures);
            if left >= least || self.columns.is_empty() {
                return longest.min(left);
            }
            let lowest = self.columns.iter().map(|column| column.keep).min();
            if let Some(index) = self.columns.iter().rposition(|column| Some(column.keep) == lowest) {
                self.columns.remove(index);
            }
        }
    }
}
