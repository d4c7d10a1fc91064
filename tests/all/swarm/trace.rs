//! Files of times, whose names say what is in them: so many, so far apart. Knows nothing else of a topology.

use std::path::Path;

/// The name of a file with so many times, so many nanoseconds after one another.
pub(super) fn name(count: u64, every_ns: u64) -> String {
    format!("{count}-every-{every_ns}ns.trace")
}

/// What the file with such a name holds: one time a line.
pub(super) fn text(name: &str) -> Result<String, String> {
    let parts = name.strip_suffix("ns.trace").and_then(|name| name.split_once("-every-"));
    let numbers = parts.and_then(|(count, every)| Some((count.parse::<u64>().ok()?, every.parse::<u64>().ok()?)));
    let (count, every) = numbers.ok_or_else(|| format!("a swarm has no file {name}"))?;
    Ok((0..count).map(|n| format!("{}ns\n", n * every)).collect())
}

/// Writes the files that a topology names beside it.
pub(super) fn write_all(topology: &str, folder: &Path) {
    let words = topology.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.');
    for name in words.filter(|word| word.ends_with("ns.trace")) {
        std::fs::write(folder.join(name), text(name).unwrap()).unwrap();
    }
}
