//! What is swept, as a file beside the results: whoever has a folder of results can tell what they are of, and whether
//! they are whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Seeds;
use super::define::Wanted;
use super::design::Design;
use super::store::write_whole;
use crate::topologies::Topology;

const NAME: &str = "sweep-";

/// A sweep as it was typed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of this file's shape.
    squall_sweep: u32,
    /// Of the program that made it: another may find other results.
    version: String,
    topology: String,
    text: String,
    /// Where files are that the topology names.
    folder: Option<PathBuf>,
    sets: Vec<(String, String)>,
    fixed: Vec<(String, String)>,
    design: String,
    design_seed: u64,
    seeds: Option<Vec<u64>>,
    until: Option<(f64, u64)>,
    goals: Vec<String>,
    only_goals: bool,
    figures: Vec<String>,
    all_figures: bool,
}

impl Manifest {
    /// The manifest of what is wanted.
    pub(crate) fn of(wanted: &Wanted) -> Self {
        let (design, seeds) = (wanted.design, wanted.seeds.clone());
        Self {
            squall_sweep: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            topology: wanted.topology.name.clone(),
            text: wanted.topology.text().to_owned(),
            folder: wanted
                .topology
                .folder()
                .map(|folder| fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())),
            sets: wanted.sets.clone(),
            fixed: wanted.fixed.clone(),
            design: match design {
                Design::Grid => "grid".to_owned(),
                Design::Random(count) => format!("random {count}"),
                Design::Latin(count) => format!("latin {count}"),
            },
            design_seed: wanted.design_seed,
            seeds: if let Some(Seeds::These(seeds)) = &seeds { Some(seeds.clone()) } else { None },
            until: if let Some(Seeds::Until { half_width, most }) = seeds { Some((half_width, most)) } else { None },
            goals: wanted.goals.clone(),
            only_goals: wanted.only_goals,
            figures: wanted.figures.clone(),
            all_figures: wanted.all_figures,
        }
    }

    /// What was wanted. The error says why it cannot be known.
    pub(crate) fn wanted(self) -> Result<Wanted, String> {
        let ours = env!("CARGO_PKG_VERSION");
        if self.squall_sweep != 1 || self.version != ours {
            return Err(format!("it was swept by squall {}, this is {ours}", self.version));
        }
        let count = |text: &str| text.parse().map_err(|_| format!("its design `{}` is not known", self.design));
        let design = match self.design.split_once(' ') {
            None if self.design == "grid" => Design::Grid,
            Some(("random", n)) => Design::Random(count(n)?),
            Some(("latin", n)) => Design::Latin(count(n)?),
            _ => return Err(format!("its design `{}` is not known", self.design)),
        };
        let until = self.until.map(|(half_width, most)| Seeds::Until { half_width, most });
        Ok(Wanted {
            topology: Topology::from_parts(self.topology, self.text, self.folder),
            sets: self.sets,
            fixed: self.fixed,
            design,
            design_seed: self.design_seed,
            seeds: until.or(self.seeds.map(Seeds::These)),
            goals: self.goals,
            only_goals: self.only_goals,
            figures: self.figures,
            all_figures: self.all_figures,
        })
    }

    /// Writes it into a folder under the sweep's id.
    pub(crate) fn write(&self, folder: &Path, id: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        write_whole(folder, &format!("{NAME}{id}.json"), (serde_json::to_string_pretty(self)? + "\n").as_bytes())
    }

    /// The manifests in some folders, each once, with their ids. The error says which file cannot be read.
    pub(crate) fn all(folders: &[PathBuf]) -> Result<Vec<(String, Self)>, String> {
        let mut found: Vec<(String, Self)> = Vec::new();
        for folder in folders {
            let entries =
                fs::read_dir(folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
            for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let Some(id) = name.strip_prefix(NAME).and_then(|rest| rest.strip_suffix(".json")) else { continue };
                if found.iter().any(|(known, _)| known == id) {
                    continue;
                }
                let text = fs::read_to_string(&path).map_err(|error| error.to_string());
                let manifest = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
                let manifest = manifest.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
                found.push((id.to_owned(), manifest));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }
}
