//! A sweep as a job array of Slurm: each task runs one shard into a shared folder. A task that is requeued does only what
//! is not there yet.

use super::{job_name, shell_word, sweep_arguments};
use crate::cli::ExportSweep;

/// The script for `sbatch`.
pub(crate) fn render(typed: &ExportSweep, scenario: &str) -> String {
    let name = job_name(scenario);
    let words: Vec<String> = sweep_arguments(typed).iter().map(|word| shell_word(word)).collect();
    format!(
        "#!/usr/bin/env bash
# squall sweep of {scenario} in {shards} shards: sbatch THIS, and when all tasks are done:
#   squall sweep merge {name} --jsonl sweep.jsonl --html sweep.html
#SBATCH --job-name={name}
#SBATCH --array=1-{shards}
#SBATCH --cpus-per-task={cpus}
#SBATCH --requeue
#SBATCH --output={name}-%A-%a.log
set -euo pipefail
srun squall sweep {file} {words} --threads \"${{SLURM_CPUS_PER_TASK:-1}}\" --shard \"$SLURM_ARRAY_TASK_ID/{shards}\" --store {name}
",
        shards = typed.shards,
        cpus = typed.cpus,
        file = shell_word(&typed.file),
        words = words.join(" "),
    )
}
