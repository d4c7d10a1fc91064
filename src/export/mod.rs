//! What other programs read: text out, one file a format. Runs nothing and opens no file.

pub(crate) mod k8s_sweep;
pub(crate) mod slurm_sweep;

use crate::cli::ExportSweep;

/// The arguments of `squall sweep` for one shard, but for the file, the shard and the store.
fn sweep_arguments(typed: &ExportSweep) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut push = |option: &str, value: &str| arguments.extend([option.to_owned(), value.to_owned()]);
    for (path, values) in &typed.space.set {
        push("--set", &format!("{path}={values}"));
    }
    let options = [
        ("--duration", typed.space.duration.clone()),
        ("--seeds", typed.seeds.clone()),
        ("--random", typed.random.map(|count| count.to_string())),
        ("--latin", typed.latin.map(|count| count.to_string())),
    ];
    for (option, value) in options {
        if let Some(value) = value {
            push(option, &value);
        }
    }
    for goal in &typed.space.goal {
        push("--goal", goal);
    }
    if typed.space.only_goals {
        arguments.push("--only-goals".to_owned());
    }
    arguments
}

/// A word of a shell's command line.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A name that Kubernetes and Slurm take: small letters, digits and `-`.
fn job_name(scenario: &str) -> String {
    let lower = scenario.to_lowercase();
    let name: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    format!("squall-{}", name.trim_matches('-'))
}
