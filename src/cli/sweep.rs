//! The command line of `squall sweep` and `squall tune`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::parse::path_and_value;

/// `squall sweep`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Sweep {
    #[command(subcommand)]
    pub(crate) command: Option<SweepCommand>,

    /// A path, or the name of a built-in topology
    #[arg(required = true, value_name = "FILE")]
    pub(crate) file: Option<String>,

    #[command(flatten)]
    pub(crate) space: Space,

    /// Seeds that every variant runs with: how many (1 to N), A..B, or a list [default: the file's own]
    #[arg(long, value_name = "SEEDS")]
    pub(crate) seeds: Option<String>,

    /// As many seeds as it takes to know how often all holds to this exactly, such as 1%
    #[arg(long, value_name = "SHARE", conflicts_with = "seeds")]
    pub(crate) until_interval: Option<String>,

    /// But at most so many
    #[arg(long, value_name = "N", requires = "until_interval", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_seeds: u64,

    /// Draw so many variants at random
    #[arg(long, value_name = "N", conflicts_with = "latin", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) random: Option<u32>,

    /// Draw so many variants, evenly spread (Latin hypercube)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latin: Option<u32>,

    /// Root of the randomness of that choice
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) design_seed: u64,

    /// Keep this figure, too: 'feed p99 in outage'
    #[arg(long, value_name = "FIGURE")]
    pub(crate) figure: Vec<String>,

    /// Keep every figure of the report
    #[arg(long)]
    pub(crate) all_figures: bool,

    /// Keep results here, for this sweep and others [default: in the cache folder, until it is done]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,

    /// Run only this part of the variants, such as 2/8, into the store; `squall sweep merge` puts them together
    #[arg(long, value_name = "I/N", requires = "store", conflicts_with_all = ["jsonl", "csv", "html"])]
    pub(crate) shard: Option<String>,

    #[command(flatten)]
    pub(crate) outputs: SweepOutputs,

    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

/// `squall tune`
#[derive(Args, Debug)]
pub(crate) struct Tune {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    #[command(flatten)]
    pub(crate) space: Space,

    /// With how many seeds the finalists are tried
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) seeds: u16,

    /// How many evenly spread candidates the search begins with
    #[arg(long, value_name = "N", default_value_t = 81, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) candidates: u32,

    /// Write what was found as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the topology with the settings that were found
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,

    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

/// What of a topology varies.
#[derive(Args, Clone, Default, Debug)]
pub(crate) struct Space {
    /// What varies: PATH=A,B,C, PATH=FROM..TO:STEP, FROM..TO:*FACTOR, or FROM..TO (with :log) to draw from
    #[arg(long, value_name = "PATH=VALUES", value_parser = path_and_value)]
    pub(crate) set: Vec<(String, String)>,

    /// How long load is offered, such as 60s
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,

    /// What is wanted besides what the file expects: 'feed p99 < 300ms in healthy', 'max feed goodput in outage'
    #[arg(long, value_name = "GOAL")]
    pub(crate) goal: Vec<String>,

    /// Judge by the goals alone, and not by what the file expects
    #[arg(long)]
    pub(crate) only_goals: bool,
}

/// What a sweep leaves behind.
#[derive(Args, Clone, Default, Debug)]
pub(crate) struct SweepOutputs {
    /// Write every run as a line of JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) jsonl: Option<PathBuf>,

    /// Write every run as a row of CSV; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// Write a page with a heatmap and parallel coordinates
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// What can be done with sweeps that ran.
#[derive(Subcommand, Debug)]
pub(crate) enum SweepCommand {
    /// Put the shards of a sweep together
    Merge(Merge),
}

/// `squall sweep merge`
#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The folders that the shards were run into
    #[arg(required = true, value_name = "FOLDER")]
    pub(crate) folders: Vec<PathBuf>,

    /// Which sweep, if the folders hold several
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,

    #[command(flatten)]
    pub(crate) outputs: SweepOutputs,
}

/// `squall export FORMAT`
#[derive(Subcommand, Debug)]
pub(crate) enum ExportFor {
    /// A sweep as an Indexed Job of Kubernetes
    K8sSweep(ExportSweep),
    /// A sweep as a job array of Slurm
    SlurmSweep(ExportSweep),
}

/// A sweep for many machines.
#[derive(Args, Debug)]
pub(crate) struct ExportSweep {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    #[command(flatten)]
    pub(crate) space: Space,

    /// Seeds that every variant runs with: how many (1 to N), A..B, or a list [default: the file's own]
    #[arg(long, value_name = "SEEDS")]
    pub(crate) seeds: Option<String>,

    /// Draw so many variants at random
    #[arg(long, value_name = "N", conflicts_with = "latin", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) random: Option<u32>,

    /// Draw so many variants, evenly spread (Latin hypercube)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latin: Option<u32>,

    /// Into how many parts the sweep is cut
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) shards: u16,

    /// Cores that each part gets
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) cpus: u16,

    /// The container image that has squall and a shell in it
    #[arg(long, value_name = "IMAGE", default_value = "squall:latest")]
    pub(crate) image: String,
}
