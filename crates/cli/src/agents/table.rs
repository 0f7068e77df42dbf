//! Aligned columns, and aligned names with values.

use std::io;

use crate::output::Output;

/// Rows under headers, each column as wide as its widest cell.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(headers: &[&str]) -> Table {
        Table { rows: vec![headers.iter().map(|header| header.to_uppercase()).collect()] }
    }

    /// Adds a row; an empty cell is shown as `-`.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        let shown = |cell: String| if cell.is_empty() { "-".to_owned() } else { cell };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// Prints it, or that there is nothing.
    pub(crate) fn print(self, output: &mut Output) -> io::Result<()> {
        if self.rows.len() < 2 {
            return output.line("none");
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            output.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Prints names with their values, in lines; a value of several lines is continued below itself. Empty ones are left out.
pub(crate) fn details(output: &mut Output, pairs: Vec<(&str, String)>) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        for (number, line) in value.lines().enumerate() {
            let name = if number == 0 { name } else { "" };
            output.line(&format!("{name:<width$}  {line}"))?;
        }
    }
    Ok(())
}
