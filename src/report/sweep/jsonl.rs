//! A JSON object a run, a line each.

use std::io::{self, Write};

use crate::sweep::results::Results;

/// Writes every run, variant by variant.
pub(crate) fn write(results: &Results, out: &mut impl Write) -> io::Result<()> {
    let quoted = |text: &String| serde_json::to_string(text).map_err(io::Error::from);
    let paths = results.paths.iter().map(quoted).collect::<io::Result<Vec<_>>>()?;
    let names = results.columns.iter().map(|column| quoted(&column.name)).collect::<io::Result<Vec<_>>>()?;
    for runs in &results.runs {
        let values = &results.variants[runs.variant];
        let sets = paths.iter().zip(values).map(|(path, value)| Ok(format!("{path}:{}", quoted(value)?)));
        let sets = sets.collect::<io::Result<Vec<_>>>()?.join(",");
        for (seed, record) in runs.seeds.iter().zip(&runs.records) {
            let verdict = if record.held.iter().all(|held| *held) { "pass" } else { "fail" };
            let held: Vec<&str> = record.held.iter().map(|held| if *held { "true" } else { "false" }).collect();
            write!(
                out,
                "{{\"variant\":{},\"set\":{{{sets}}},\"seed\":{seed},\"verdict\":\"{verdict}\",\"held\":[{}],\"digest\":\"{}\",\"figures\":{{",
                runs.variant,
                held.join(","),
                record.digest
            )?;
            for (at, (name, value)) in names.iter().zip(&record.values).enumerate() {
                let comma = if at == 0 { "" } else { "," };
                match value.filter(|value| value.is_finite()) {
                    Some(value) => write!(out, "{comma}{name}:{value}")?,
                    None => write!(out, "{comma}{name}:null")?,
                }
            }
            out.write_all(b"}}\n")?;
        }
    }
    Ok(())
}
