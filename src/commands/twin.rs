//! `squall twin`: the same file in both worlds, and whether they tell the same story.

mod figures;
mod reasons;

use std::io;

use crate::cli::Twin;
use crate::commands::run::in_virtual_time;
use crate::exit::Exit;
use crate::live;
use crate::output;
use crate::topologies::Topology;
use figures::Line;

/// Runs both and compares.
pub(crate) fn run(twin: &Twin) -> io::Result<Exit> {
    let Some(topology) = Topology::find(&twin.file)? else { return Ok(Exit::Wrong) };
    let Some((plan, _)) = topology.plan(&twin.overrides)? else { return Ok(Exit::Wrong) };
    let (sim, interrupted) = in_virtual_time(&plan);
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    let stormed = match live::storm(&plan, twin.settings.into(), None, None) {
        Ok(stormed) => stormed,
        Err(failed) => {
            output::error(&failed.to_string(), failed.hint())?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let live = stormed.report();
    let lines = figures::compared(&plan, &sim, &live);
    output::result(&format!("{}{}", table(&lines), summary(&lines, &reasons::of(&plan, &lines, &sim, &live))))?;
    if let Some(died) = &stormed.died {
        output::error(&died.to_string(), died.hint())?;
        return Ok(Exit::CouldNotRun);
    }
    Ok(match lines.iter().all(|line| line.holds) {
        _ if stormed.cut_short => Exit::Interrupted,
        true => Exit::Held,
        false => Exit::Failed,
    })
}

fn table(lines: &[Line]) -> String {
    let head = ["figure", "virtual time", "real HTTP", "difference", "tolerance"].map(str::to_owned);
    let cells =
        |line: &Line| [&line.figure, &line.sim, &line.live, &line.difference, &line.tolerance].map(String::clone);
    let rows: Vec<_> = std::iter::once((' ', head)).chain(lines.iter().map(|l| (mark(l), cells(l)))).collect();
    let mut widths = [0; 5];
    for (_, row) in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |(mark, row): &(char, [String; 5])| {
        let first = format!("{mark} {:<width$}", row[0], width = widths[0]);
        let rest: Vec<_> = (1..5).map(|i| format!("  {:>width$}", row[i], width = widths[i])).collect();
        format!("{first}{}\n", rest.concat())
    };
    rows.iter().map(line).collect::<Vec<_>>().concat()
}

const fn mark(line: &Line) -> char {
    if line.holds { '✓' } else { '✗' }
}

/// How many agree, and why the others may not.
fn summary(lines: &[Line], reasons: &[(String, String)]) -> String {
    let held = lines.iter().filter(|line| line.holds).count();
    let out = reasons.iter().map(|(figure, reason)| format!("✗ {figure}: {reason}\n"));
    format!("\n{held} of {} figures agree\n{}", lines.len(), out.collect::<String>())
}
