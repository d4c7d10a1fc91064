//! The command line as typed. Looks nothing up.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use squall_exchange::{export, import};
use squall_model::Span;
use squall_model::check::LINTS;
use squall_services::B3;

mod overrides;
mod parse;
mod sweep;

pub(crate) use overrides::{Overrides, quoted};
use parse::{b3, class_and_outcome, epoch, path_and_value, positive, seed, time, words};
pub(crate) use sweep::{ExportFor, ExportSweep, Merge, Sweep, SweepCommand, SweepOutputs, Tune};

/// Storms a graph of fake services and shows what breaks, deterministically.
#[derive(Parser, Debug)]
#[command(name = "squall", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colour; `NO_COLOR` is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Say only what went wrong
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// When to use colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run experiments, in virtual time or live
    Run(Run),
    /// Compare two topologies, or reports of runs; a regression is exit code 1
    Compare(Compare),
    /// Run a topology in many variants, with many seeds
    Sweep(Sweep),
    /// Search the settings of a topology for those that reach its goals best
    Tune(Tune),
    /// Show the actual request at a percentile as a waterfall
    Trace(Trace),
    /// Say what failed first, who is to blame, and what to change, by running it again without each thing
    Diagnose(Diagnose),
    /// Find what one service can do alone, its callees replaced by mocks
    Isolate(Isolate),
    /// Find what the whole system bears: load up in steps, and down again
    Capacity(Capacity),
    /// Run an experiment in both worlds and compare them
    Twin(Twin),
    /// Start the services of a topology over real HTTP, without load, until Ctrl-C
    Up(Up),
    /// Offer only the load of a topology, to any URL
    Load(Load),
    /// Lead a circuit breaker through a log of calls that happened, or by hand
    Replay(Replay),
    /// Turn a topology into other tools' files
    Export(Export),
    /// Turn other tools' configurations into a topology
    Import(Import),
    /// Read topology files and say everything that is wrong with them
    Check(Check),
    /// List the built-in topologies
    List,
    /// Write a commented topology file to start from
    New(New),
    /// Print the JSON Schema of topology files, for editors
    Schema,
    /// Print shell completions
    Completions(Completions),
}

/// `squall run`
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Paths, or names of built-in topologies; several run in parallel
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    /// Over real HTTP on loopback instead, in real time
    #[arg(long)]
    pub(crate) live: bool,

    #[command(flatten)]
    pub(crate) settings: LiveSettings,

    /// Write latencies as an HdrHistogram log (V2)
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,

    /// Write the report as JSON; `-` is standard output; of several topologies a list of reports
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the report as one page for a browser; it loads nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Live: show the page while it runs, on loopback
    #[arg(long, requires = "live")]
    pub(crate) ui: bool,

    /// Keep the figures, small and reviewable, to hold later runs against; of several topologies a folder of such files
    #[arg(long, value_name = "FILE")]
    pub(crate) save_baseline: Option<PathBuf>,

    /// Hold the run against figures that were kept; a regression fails it
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// How much worse a figure may get: 'p99 +5%', 'feed goodput -1%' [default: what users see, by very little]
    #[arg(long, value_name = "RULE", requires = "baseline")]
    pub(crate) fail: Vec<String>,

    #[command(flatten)]
    pub(crate) ci: Ci,

    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

/// `squall compare`
#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// What was: a topology, a report or a baseline, or a folder of reports of repeated runs
    #[arg(value_name = "BASE")]
    pub(crate) base: String,

    /// What is
    #[arg(value_name = "NEW")]
    pub(crate) new: String,

    /// Seeds that both topologies run with: how many (1 to N), A..B, or a list
    #[arg(long, value_name = "SEEDS", conflicts_with = "seed")]
    pub(crate) seeds: Option<String>,

    /// Root of all randomness
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,

    /// How long load is offered, such as 60s
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,

    /// Any value of NEW, if it is a topology: services.order.workers=20
    #[arg(long, value_name = "PATH=VALUE", value_parser = path_and_value)]
    pub(crate) set: Vec<(String, String)>,

    /// How much worse a figure may get: 'p99 +5%', 'feed goodput -1%' [default: what users see, by very little]
    #[arg(long, value_name = "RULE")]
    pub(crate) fail: Vec<String>,

    /// Write the comparison as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write both runs as one page for a browser, drawn over one another; of several seeds the first
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) ci: Ci,

    /// Show every figure that changed
    #[arg(long)]
    pub(crate) all: bool,

    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

/// What is written for a pipeline.
#[derive(Args, Clone, Default, Debug)]
pub(crate) struct Ci {
    /// Write a JUnit file: a test case for each expectation
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Print annotations for GitHub Actions, and add to the step's summary
    #[arg(long)]
    pub(crate) github: bool,

    /// Add a summary in Markdown to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
}

/// `squall diagnose`
#[derive(Args, Debug)]
pub(crate) struct Diagnose {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    /// What must hold, instead of the file's own `expect`: 'checkout success >= 99%'
    #[arg(long, value_name = "LINE")]
    pub(crate) expect: Vec<String>,

    /// Write the file with the suggested change in it; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,

    /// Write the diagnosis as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

/// `squall isolate`
#[derive(Args, Debug)]
pub(crate) struct Isolate {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// The service to look at
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,

    /// What stands in for the services it calls
    #[arg(long, value_name = "HOW", default_value = "fast")]
    pub(crate) mocks: crate::why::isolate::Mocks,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    /// Write what was found as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// `squall capacity`
#[derive(Args, Debug)]
pub(crate) struct Capacity {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// How long each step of load is held
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) hold: String,

    /// The most load to offer, in requests a second [default: a good deal more than it bears]
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub(crate) up_to: Option<f64>,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    /// Write what was found as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the curve, and the run that it is of, as one page for a browser; it loads nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

impl Capacity {
    /// The command that finds the same again.
    pub(crate) fn again(&self, file: &str, seed: u64) -> String {
        let up_to = self.up_to.map(|rate| format!(" --up-to {rate}/s")).unwrap_or_default();
        format!("squall capacity {} --hold {}{up_to}", self.overrides.words(file, seed), quoted(&self.hold))
    }
}

/// `squall trace`
#[derive(Args, Debug)]
pub(crate) struct Trace {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// Which request: p99 (any percentile), slowest, first-failure, slowest-failure, first-degraded, or the first from a
    /// time on, such as 20.5s; several with commas
    #[arg(long, value_name = "WHICH", default_value = "p99")]
    pub(crate) at: Vec<String>,

    /// Whose requests: a load, or one of its tasks as LOAD.TASK [default: the first load]
    #[arg(long, value_name = "LOAD")]
    pub(crate) of: Option<String>,

    /// In a run over real HTTP on loopback instead, in real time
    #[arg(long)]
    pub(crate) live: bool,

    /// Only requests that started in this phase; also `before PHASE`, `after PHASE`
    #[arg(long, value_name = "PHASE")]
    pub(crate) phase: Option<String>,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    /// Write the traces as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write them as OpenTelemetry's OTLP/JSON: to a file, or to a collector at a URL such as http://127.0.0.1:4318
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) otlp: Option<String>,

    /// Send to a collector on this host, which is not loopback
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_remote: Vec<String>,

    /// Write them as Zipkin's JSON, version 2
    #[arg(long, value_name = "FILE")]
    pub(crate) zipkin: Option<PathBuf>,

    /// Write them as the JSON that Jaeger's user interface reads
    #[arg(long, value_name = "FILE")]
    pub(crate) jaeger: Option<PathBuf>,

    /// When the run began, for those formats: seconds since 1970, or `now` [default: 0; `now` for a collector]
    #[arg(long, value_name = "TIME", value_parser = epoch)]
    pub(crate) epoch: Option<Epoch>,
}

/// When a run began, for formats that want absolute time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Epoch {
    /// At this very moment.
    Now,
    /// So many seconds after 1970.
    Seconds(u32),
}

/// `squall twin`
#[derive(Args, Debug)]
pub(crate) struct Twin {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    #[command(flatten)]
    pub(crate) settings: LiveSettings,
}

/// `squall up`
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    #[command(flatten)]
    pub(crate) settings: LiveSettings,

    /// Show the page of what happens, on loopback
    #[arg(long)]
    pub(crate) ui: bool,

    /// Start only this service, or replica such as `order[1]`; the others run in other processes
    #[arg(long, value_name = "SERVICE", requires = "peers")]
    pub(crate) only: Vec<String>,

    /// Who is where: a name and a URL a line, as `squall up` prints them
    #[arg(long, value_name = "FILE", requires = "only")]
    pub(crate) peers: Option<PathBuf>,

    /// A peer may be on this host, which is not loopback; only if it is yours
    #[arg(long, value_name = "HOST", requires = "peers")]
    pub(crate) allow_remote: Vec<String>,
}

/// `squall load`
#[derive(Args, Debug)]
pub(crate) struct Load {
    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    /// Where the load goes, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub(crate) target: String,

    /// Load this host, which is not loopback; only if it is yours to load
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_remote: Vec<String>,

    /// Give up when the target has taken no connection for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) give_up_after: Span,

    /// Keep the CPU from deep sleep, so that nothing is late for it (needs root)
    #[arg(long)]
    pub(crate) precise: bool,

    /// Send traces in Zipkin's B3 as well, in one header or in several: single, multi
    #[arg(long, value_name = "HEADERS", value_parser = b3)]
    pub(crate) b3: Option<B3>,

    /// Write latencies as an HdrHistogram log (V2)
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,

    /// Write the report as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// `squall replay`
#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The breaker's settings (a topology, or a file that holds only a breaker), then the log; `-` is standard input
    #[arg(required = true, num_args = 1..=2, value_names = ["CONFIG", "LOG"])]
    pub(crate) files: Vec<String>,

    /// The breaker's settings themselves, instead of CONFIG
    #[arg(long, value_name = "{…}")]
    pub(crate) breaker: Option<String>,

    /// Which call's breaker, where the topology has several, such as 'order -> inventory'
    #[arg(long, value_name = "A -> B", conflicts_with = "breaker")]
    pub(crate) call: Option<String>,

    /// What the clock says when the log's times are 0; time windows are aligned to its seconds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) start_ns: u64,

    /// Write what would have happened as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// `squall export`
#[derive(Args, Debug)]
#[command(
    after_help = "What a format cannot say is told on standard error: a line for each setting, with what is written instead."
)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Export {
    #[command(subcommand)]
    pub(crate) sweep: Option<ExportFor>,

    /// Whose files to write
    #[arg(value_name = "FORMAT", required_unless_present = "formats", value_parser = words(export::Format::ALL))]
    pub(crate) format: Option<String>,

    /// A path, or the name of a built-in topology
    #[arg(value_name = "FILE", required_unless_present = "formats")]
    pub(crate) file: Option<String>,

    #[command(flatten)]
    pub(crate) overrides: Overrides,

    /// Only the calls or endpoints of this service
    #[arg(long, value_name = "SERVICE")]
    pub(crate) of: Option<String>,

    /// Write here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The port of the first live service
    #[arg(long, value_name = "N", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) base_port: u16,

    /// The container image that has squall
    #[arg(long, value_name = "IMAGE", default_value = "squall:latest")]
    pub(crate) image: String,

    /// List the formats
    #[arg(long)]
    pub(crate) formats: bool,
}

/// `squall import`
#[derive(Args, Debug)]
#[command(
    after_help = "Each value says in a comment where it came from; what cannot be mapped is told with file and line."
)]
pub(crate) struct Import {
    /// Whose files they are
    #[arg(value_name = "FORMAT", required_unless_present = "formats", value_parser = words(import::Format::ALL))]
    pub(crate) format: Option<String>,

    /// The files; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "formats")]
    pub(crate) files: Vec<String>,

    /// Add to this topology, and write it
    #[arg(long, value_name = "TOPOLOGY")]
    pub(crate) into: Option<PathBuf>,

    /// Write here instead of to standard output, or to the topology that is added to
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The service that makes the calls, where the files do not say
    #[arg(long, value_name = "SERVICE")]
    pub(crate) from: Option<String>,

    /// The service that is called, where the files do not say
    #[arg(long, value_name = "SERVICE")]
    pub(crate) to: Option<String>,

    /// The profile that counts, where the files have several
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// What an exception of the program is: java.io.IOException=refused
    #[arg(long, value_name = "CLASS=OUTCOME", value_parser = class_and_outcome)]
    pub(crate) outcome: Vec<(String, String)>,

    /// List the formats
    #[arg(long)]
    pub(crate) formats: bool,
}

/// `squall check`
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Paths, or names of built-in topologies
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,

    /// Exit with 1 if this lint finds anything; repeatable
    #[arg(long, value_name = "LINT", value_parser = PossibleValuesParser::new(LINTS), hide_possible_values = true)]
    pub(crate) deny: Vec<String>,

    /// Say nothing of what this lint finds; repeatable, and wins over `--deny`
    #[arg(long, value_name = "LINT", value_parser = PossibleValuesParser::new(LINTS), hide_possible_values = true)]
    pub(crate) allow: Vec<String>,

    #[command(flatten)]
    pub(crate) overrides: Overrides,
}

/// `squall new`
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The topology's name; the file is NAME.yaml
    pub(crate) name: String,
}

/// `squall completions`
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// How the live world runs.
#[derive(Args, Clone, Copy, Default, Debug)]
pub(crate) struct LiveSettings {
    /// First port of the live services, in file order [default: free ones]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) base_port: Option<u16>,

    /// Live: `work` burns CPU instead of waiting
    #[arg(long)]
    pub(crate) burn: bool,

    /// Live: keep the CPU from deep sleep, so that nothing is late for it (needs root)
    #[arg(long)]
    pub(crate) precise: bool,

    /// Live: hand traces on in Zipkin's B3 as well, in one header or in several: single, multi [default: as they come]
    #[arg(long, value_name = "HEADERS", value_parser = b3)]
    pub(crate) b3: Option<B3>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_that_gives_a_run_again_can_be_pasted() {
        let words = ["squall", "run", "shop/a b.yaml", "--seed", "4", "--set", "load.x.arrivals=it's", "--json", "-"];
        let Command::Run(run) = Cli::try_parse_from(words).unwrap().command else { panic!("run was typed") };
        let expected = r"squall run 'a b.yaml' --set 'load.x.arrivals=it'\''s' --seed 4";
        assert_eq!(run.overrides.again("a b.yaml", run.live, 4), expected);
    }

    #[test]
    fn named_overrides_win_over_set() {
        let cli = Cli::try_parse_from(["squall", "check", "a", "--set", "seed=3", "--seed", "4", "--duration", "5s"]);
        let Command::Check(check) = cli.unwrap().command else { panic!("check was typed") };
        let sets = check.overrides.sets();
        let sets: Vec<_> = sets.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        assert_eq!(sets, [("seed", "3"), ("seed", "4"), ("duration", "5s")]);
    }
}
