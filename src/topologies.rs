//! Where topologies come from: a path, or a name of those that are built in.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use squall_model::plan::{self, Plan};
use squall_model::spec::{self, At, Draft, Loaded, Problem, Setting, did_you_mean};
use squall_telemetry::report::Source;

use crate::cli::Overrides;
use crate::diagnostics::Sources;
use crate::output;

/// The files of the folder `topologies`, by name.
macro_rules! built_in {
    ($($name:literal,)*) => { &[$(($name, include_str!(concat!("../topologies/", $name, ".yaml")))),*] };
}

/// The built-in ones, by name.
const BUILT_IN: &[(&str, &str)] = built_in![
    "asynchronous-chain",
    "autoscaling",
    "bottleneck",
    "breakers-compared",
    "cascade",
    "cascade-breaker",
    "cascade-timeout",
    "chain",
    "chaos",
    "chatty",
    "chatty-batch",
    "cold-start",
    "deadline-propagation",
    "graceful-degradation",
    "hedging",
    "load-shedding",
    "metastable",
    "metastable-cache",
    "metastable-cache-recovers",
    "metastable-failover",
    "metastable-failover-recovers",
    "metastable-gc",
    "metastable-gc-recovers",
    "metastable-recovers",
    "no-pooling",
    "outlier-ejection",
    "own-databases",
    "pooling",
    "retries-compared",
    "retry-storm",
    "retry-storm-backoff",
    "rolling-restart",
    "shared-database",
    "slow-leak",
    "social",
    "synchronous-chain",
    "warm-pool",
];

/// Longest topology file that is read; a longer one is refused when its text is looked at.
const LONGEST: u64 = 5 << 20;
/// Longest file of samples or arrivals.
const LONGEST_SAMPLES: u64 = 64 << 20;

/// The text of a topology.
#[derive(Clone)]
pub(crate) struct Topology {
    /// As typed.
    pub(crate) name: String,
    text: String,
    /// Where files that it names are; `None` for a built-in one.
    folder: Option<PathBuf>,
}

/// The built-in topologies.
pub(crate) fn built_in() -> impl Iterator<Item = Topology> {
    BUILT_IN.iter().map(|(name, text)| Topology { name: (*name).to_owned(), text: (*text).to_owned(), folder: None })
}

impl Topology {
    /// The file `name` if there is one, else the built-in topology of that name. Complains and gives `None` if there is
    /// neither.
    pub(crate) fn find(name: &str) -> io::Result<Option<Self>> {
        let path = Path::new(name);
        if path.is_dir() {
            output::error(&format!("`{name}` is a folder"), Some("name a topology file"))?;
            return Ok(None);
        }
        match read(path, LONGEST) {
            Ok(bytes) => Self::from_file(name, bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::from_name(name),
            Err(error) => {
                output::error(&format!("cannot read `{name}`: {error}"), None)?;
                Ok(None)
            }
        }
    }

    fn from_file(name: &str, bytes: Vec<u8>) -> io::Result<Option<Self>> {
        let folder = Path::new(name).parent().map(Path::to_owned);
        Ok(text(name, bytes)?.map(|text| Self { name: name.to_owned(), text, folder }))
    }

    fn from_name(name: &str) -> io::Result<Option<Self>> {
        let found = built_in().find(|topology| topology.name == name);
        if found.is_none() {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let what = format!("there is no file and no built-in topology `{name}`");
            output::error(&what, Some(&did_you_mean(name, &names)))?;
        }
        Ok(found)
    }

    /// Reads and checks it. Complains about everything that is wrong and gives `None` if it cannot be used; warnings are
    /// shown by whoever wants them.
    pub(crate) fn load(&self, overrides: &Overrides) -> io::Result<Option<Loaded>> {
        let sets = overrides.sets();
        match self.loaded(&sets) {
            Ok(loaded) => Ok(Some(loaded)),
            Err(problems) => {
                output::problem(&self.sources_of(overrides).render(&problems))?;
                Ok(None)
            }
        }
    }

    /// Reads and checks it with the overrides `sets`, and says nothing.
    pub(crate) fn loaded(&self, sets: &[(String, String)]) -> Result<Loaded, Vec<Problem>> {
        spec::load(&self.text, sets, &|path| self.file(path))
    }

    /// Reads, checks and compiles it: the plan, and its warnings as text. Complains and gives `None` as
    /// [`load`](Self::load) and [`compile`](Self::compile) do.
    pub(crate) fn plan(&self, overrides: &Overrides) -> io::Result<Option<(Plan, String)>> {
        let Some(loaded) = self.load(overrides)? else { return Ok(None) };
        let Some(plan) = self.compile(&loaded, overrides)? else { return Ok(None) };
        Ok(Some((plan, self.sources_of(overrides).render(&loaded.warnings))))
    }

    /// The plan of what [`load`](Self::load) gave. Complains and gives `None` as that does, about values that only the
    /// policies themselves refuse.
    pub(crate) fn compile(&self, loaded: &Loaded, overrides: &Overrides) -> io::Result<Option<Plan>> {
        match plan::compile(&loaded.topology) {
            Ok(plan) => Ok(Some(plan)),
            Err(problems) => {
                output::problem(&self.sources_of(overrides).render(&problems))?;
                Ok(None)
            }
        }
    }

    /// As [`plan`](Self::plan) with these overrides, and nothing is said.
    pub(crate) fn plan_quietly(&self, sets: &[(String, String)]) -> Result<Plan, Vec<Problem>> {
        let loaded = spec::load(&self.text, sets, &|path| self.file(path))?;
        plan::compile(&loaded.topology)
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The same with another text.
    pub(crate) fn with_text(&self, text: String) -> Self {
        Self { name: self.name.clone(), text, folder: self.folder.clone() }
    }

    /// Shows the warnings of `loaded`.
    pub(crate) fn warn(&self, loaded: &Loaded, overrides: &Overrides) -> io::Result<()> {
        output::problem(&self.sources_of(overrides).render(&loaded.warnings))
    }

    /// The path of its file; `None` for a built-in one.
    pub(crate) fn path(&self) -> Option<&str> {
        self.folder.is_some().then_some(self.name.as_str())
    }

    /// Every value of the file with its path, but for what only describes or judges.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut all = self.draft().root().map(spec::settings).unwrap_or_default();
        let judges =
            |path: &str| ["about", "name", "expect", "phases"].contains(&path.split('.').next().unwrap_or(path));
        all.retain(|setting| !judges(&setting.path));
        all
    }

    /// The file, read once to be loaded often.
    pub(crate) fn draft(&self) -> Draft {
        Draft::new(&self.text)
    }

    /// A topology of which everything is known already.
    pub(crate) const fn from_parts(name: String, text: String, folder: Option<PathBuf>) -> Self {
        Self { name, text, folder }
    }

    /// Where files are that it names.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The line of the file, from 1; `None` for what stands in an override.
    pub(crate) fn line(&self, at: At) -> Option<usize> {
        (at.source == 0).then(|| spec::line_and_column(&self.text, at.start).0)
    }

    /// Shows what is wrong with it under the overrides `sets` and with `goals`, whose places count on after them.
    pub(crate) fn complain(&self, sets: &[(String, String)], goals: &[String], problems: &[Problem]) -> io::Result<()> {
        output::problem(&self.sources(sets).with_goals(goals).render(problems))
    }

    /// What was run, and the command that does it again. Tells the file's name, and not in which folders it lies.
    pub(crate) fn source(&self, again: impl FnOnce(&str) -> String) -> Source {
        let file =
            Path::new(&self.name).file_name().map_or(self.name.clone(), |name| name.to_string_lossy().into_owned());
        let command = again(&file);
        Source { file, command, topology: self.text.clone() }
    }

    /// The file and all that overrides it.
    fn sources_of(&self, overrides: &Overrides) -> Sources<'_> {
        self.sources(&overrides.sets()).with_flags(&overrides.flags())
    }

    fn sources(&self, sets: &[(String, String)]) -> Sources<'_> {
        Sources::new(&self.name, &self.text, sets)
    }

    /// The text of a file that the topology names.
    pub(crate) fn file(&self, path: &str) -> Result<String, String> {
        let folder = self.folder.as_ref().ok_or("a built-in topology has no files")?;
        let bytes = read(&folder.join(path), LONGEST_SAMPLES).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > LONGEST_SAMPLES {
            return Err("more than 64 MiB".into());
        }
        String::from_utf8(bytes).map_err(|_| "not UTF-8".into())
    }
}

/// The text of the file `name`, or of standard input for `-`. Complains and gives `None` if it cannot be read.
pub(crate) fn read_text(name: &str, longest: u64) -> io::Result<Option<String>> {
    let bytes = if name == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().take(longest + 1).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        read(Path::new(name), longest)
    };
    let bytes = match bytes {
        Ok(bytes) if bytes.len() as u64 > longest => {
            let what = format!("`{name}` is longer than {} MiB", longest >> 20);
            output::error(&what, None)?;
            return Ok(None);
        }
        Ok(bytes) => bytes,
        Err(error) => {
            output::error(&format!("cannot read `{name}`: {error}"), None)?;
            return Ok(None);
        }
    };
    text(name, bytes)
}

/// `bytes` as text. Complains and gives `None` if they are none.
fn text(name: &str, bytes: Vec<u8>) -> io::Result<Option<String>> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            let (line, column) = spec::line_and_column(&text, valid);
            let what = format!("{name}:{line}:{column}: not UTF-8");
            output::error(&what, Some("save the file as UTF-8"))?;
            Ok(None)
        }
    }
}

/// At most one byte more than `longest`: enough to see that it is too long.
fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(longest + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_of_the_folder_is_built_in_under_its_own_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        let mut names: Vec<String> =
            yaml.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        for topology in built_in() {
            let loaded = topology.load(&Overrides::default()).unwrap().unwrap();
            assert_eq!(loaded.topology.name.value, topology.name);
            assert!(loaded.topology.about.is_some(), "{} says nothing about itself", topology.name);
        }
    }
}
