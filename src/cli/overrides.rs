//! What overrides a file's values, and the words that say so again.

use clap::Args;

use super::parse::{path_and_value, seed};

/// What overrides the file, for every command that takes one.
#[derive(Args, Clone, Default, Debug)]
pub(crate) struct Overrides {
    /// Root of all randomness
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,

    /// How long load is offered, such as 60s
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,

    /// Any value of the file: services.order.workers=20, load.feed.rate=200/s, faults.0.for=5s
    #[arg(long, value_name = "PATH=VALUE", value_parser = path_and_value)]
    pub(crate) set: Vec<(String, String)>,
}

impl Overrides {
    /// All of them as paths and values, the named ones last: they win.
    pub(crate) fn sets(&self) -> Vec<(String, String)> {
        let seed = self.seed.map(|seed| ("seed".to_owned(), seed.to_string()));
        let duration = self.duration.as_ref().map(|duration| ("duration".to_owned(), duration.clone()));
        self.set.iter().cloned().chain(seed).chain(duration).collect()
    }

    /// The flags of those of the [`sets`](Self::sets), the last ones, that have flags of their own.
    pub(crate) fn flags(&self) -> Vec<&'static str> {
        let seed = self.seed.map(|_| "--seed");
        seed.into_iter().chain(self.duration.as_ref().map(|_| "--duration")).collect()
    }

    /// The command that gives a run again: what decides it, and nothing of where it was written.
    pub(crate) fn again(&self, file: &str, live: bool, seed: u64) -> String {
        let live = if live { " --live" } else { "" };
        format!("squall run{live} {}", self.words(file, seed))
    }

    /// The file, and everything that overrides it, for a shell.
    pub(super) fn words(&self, file: &str, seed: u64) -> String {
        let sets = self.sets().into_iter().filter(|(path, _)| path != "seed");
        let sets: String = sets.map(|(path, value)| format!(" --set {}", quoted(&format!("{path}={value}")))).collect();
        format!("{}{sets} --seed {seed}", quoted(file))
    }
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,%+@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
