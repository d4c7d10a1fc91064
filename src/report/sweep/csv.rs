//! A table for spreadsheets and data frames (RFC 4180): a row a run, a column an axis and a figure.

use std::io::{self, Write};

use crate::sweep::results::Results;

/// Writes every run, variant by variant.
pub(crate) fn write(results: &Results, out: &mut impl Write) -> io::Result<()> {
    let head = ["variant", "seed"].map(str::to_owned).into_iter();
    let head = head.chain(results.paths.iter().cloned()).chain(["verdict".to_owned(), "digest".to_owned()]);
    let head: Vec<String> = head.chain(results.columns.iter().map(|column| column.name.clone())).collect();
    line(out, &head)?;
    for runs in &results.runs {
        for (seed, record) in runs.seeds.iter().zip(&runs.records) {
            let verdict = if record.held.iter().all(|held| *held) { "pass" } else { "fail" };
            let mut cells = vec![runs.variant.to_string(), seed.to_string()];
            cells.extend(results.variants[runs.variant].iter().cloned());
            cells.extend([verdict.to_owned(), record.digest.clone()]);
            cells.extend(record.values.iter().map(|value| value.map_or(String::new(), |value| value.to_string())));
            line(out, &cells)?;
        }
    }
    Ok(())
}

fn line(out: &mut impl Write, cells: &[String]) -> io::Result<()> {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        if cell.contains([',', '"', '\n', '\r']) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}
