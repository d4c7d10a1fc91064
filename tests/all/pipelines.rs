//! What pipelines see: several topologies in one call, JUnit, annotations, summaries, baselines, comparisons.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{command, fresh_folder, squall, squall_in, written};

/// A repository with storms and the baselines of them, as a team would have it.
fn repository(name: &str) -> PathBuf {
    let folder = fresh_folder(name);
    std::fs::create_dir_all(folder.join("storms")).unwrap();
    let text = built_in("cascade-breaker");
    std::fs::write(folder.join("storms/checkout.yaml"), text).unwrap();
    let keep = ["run", "storms/checkout.yaml", "--save-baseline", "storms/baselines/checkout.json", "--quiet"];
    squall_in(&folder, &keep).success();
    folder
}

fn built_in(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("topologies/{name}.yaml"))).unwrap()
}

fn change(folder: &Path, from: &str, to: &str) {
    let path = folder.join("storms/checkout.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(from).count(), 1);
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const AGAINST: [&str; 4] = ["run", "storms/checkout.yaml", "--baseline", "storms/baselines/checkout.json"];

#[test]
fn nothing_changed_is_exit_code_0_and_the_baseline_is_written_the_same_again() {
    let folder = repository("pipeline-same");
    let before = std::fs::read(folder.join("storms/baselines/checkout.json")).unwrap();
    let (out, _) = written(&squall_in(&folder, &AGAINST).success());
    assert!(out.contains("SAME  nothing changed"), "{out}");
    let keep = ["run", "storms/checkout.yaml", "--save-baseline", "storms/baselines/checkout.json"];
    squall_in(&folder, &keep).success();
    assert_eq!(std::fs::read(folder.join("storms/baselines/checkout.json")).unwrap(), before);
    assert!(before.len() < 20_000, "{} bytes to review", before.len());
}

#[test]
fn a_timeout_of_3_s_instead_of_300_ms_fails_with_one_annotation_at_its_line() {
    let folder = repository("pipeline-worse");
    change(&folder, "timeout: 300ms", "timeout: 3s");
    let mut command = command(&folder, &AGAINST);
    command.args(["--github", "--junit", "junit.xml"]).env("GITHUB_STEP_SUMMARY", folder.join("summary.md"));
    let (out, _) = written(&snapbox::cmd::Command::from(command).assert().code(1));
    let annotations: Vec<&str> = out.lines().filter(|line| line.starts_with("::error ")).collect();
    let text = std::fs::read_to_string(folder.join("storms/checkout.yaml")).unwrap();
    let line = text.lines().position(|line| line.contains("timeout: 3s")).unwrap() + 1;
    let place = format!("::error file=storms/checkout.yaml,line={line},title=cascade-breaker%3A a figure regressed::");
    assert_eq!(annotations.len(), 1, "{out}");
    let message = annotations[0].strip_prefix(&place).unwrap_or_else(|| panic!("{}", annotations[0]));
    assert!(message.starts_with("services.order.calls.inventory.timeout: 300ms → 3s; worse: checkout "), "{message}");
    assert!(out.contains("REGRESSED  worse: checkout "), "{out}");
    let summary = std::fs::read_to_string(folder.join("summary.md")).unwrap();
    assert!(summary.contains("## squall: 0 of 1 passed") && summary.contains("| ❌ | checkout "), "{summary}");
    let junit = std::fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert!(junit.contains("name=\"no figure regressed\"") && junit.contains(&format!("line=\"{line}\"")), "{junit}");
}

/// Runs a line of a workflow as its shell does, with squall on the `PATH`.
fn shell(folder: &Path, line: &str) -> snapbox::cmd::OutputAssert {
    let program = Path::new(env!("CARGO_BIN_EXE_squall")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = std::process::Command::new("sh");
    command.current_dir(folder).args(["-c", line]).env("PATH", path).env_remove("GITHUB_STEP_SUMMARY");
    snapbox::cmd::Command::from(command).assert()
}

#[test]
fn every_line_of_the_workflows_that_runs_squall_does_what_they_say() {
    let github = (include_str!("../../docs/ci/github-actions.yml"), &["storms.xml"][..]);
    let gitlab = (include_str!("../../docs/ci/gitlab-ci.yml"), &["storms.xml", "storms.md"][..]);
    for (number, (workflow, files)) in [github, gitlab].into_iter().enumerate() {
        let folder = repository(&format!("pipeline-workflow-{number}"));
        std::fs::remove_dir_all(folder.join("storms/baselines")).unwrap();
        let first = workflow.split('`').find(|part| part.starts_with("squall ")).unwrap();
        let step = |line: &'static str| line.trim_start().strip_prefix("- ");
        let steps = workflow.lines().filter_map(step).map(|line| line.strip_prefix("run: ").unwrap_or(line));
        let jobs: Vec<&str> = steps.filter(|line| line.starts_with("squall ")).collect();
        assert_eq!((jobs.len(), workflow.matches("squall run ").count()), (1, 2), "{workflow}");
        shell(&folder, first).success();
        assert!(folder.join("storms/baselines/checkout.json").is_file());
        shell(&folder, jobs[0]).success();
        for file in files {
            assert!(folder.join(file).is_file() && workflow.matches(file).count() >= 2, "{file}");
        }
        change(&folder, "timeout: 300ms", "timeout: 3s");
        let (out, _) = written(&shell(&folder, jobs[0]).code(1));
        assert!(out.contains("REGRESSED  worse: checkout "), "{out}");
        // The day on which a second topology comes, the first one's baseline is still found.
        change(&folder, "timeout: 3s", "timeout: 300ms");
        std::fs::write(folder.join("storms/second.yaml"), built_in("chain")).unwrap();
        shell(&folder, first).success();
        shell(&folder, jobs[0]).success();
    }
}

#[test]
fn a_rule_decides_how_much_worse_is_too_much() {
    let folder = repository("pipeline-rules");
    change(&folder, "rate: 100/s", "rate: 98/s");
    squall_in(&folder, &AGAINST).code(1);
    squall_in(&folder, &[&AGAINST[..], &["--fail", "goodput -5%", "--fail", "p99 +5%"]].concat()).code(0);
    squall_in(&folder, &[&AGAINST[..], &["--fail", "goodput -1%"]].concat()).code(1);
    let wrong = [
        ("nonsense", "`nonsense` is not a rule"),
        ("goodptu -1%", "did you mean `goodput`?"),
        ("chekcout goodput -1%", "did you mean `checkout`?"),
    ];
    for (rule, hint) in wrong {
        let (_, err) = written(&squall_in(&folder, &[&AGAINST[..], &["--fail", rule]].concat()).code(2));
        assert!(err.contains(hint), "{rule}: {err}");
    }
}

#[test]
fn what_is_no_baseline_is_exit_code_2() {
    let folder = repository("pipeline-no-baseline");
    for (text, what) in
        [("{}", "is no baseline"), ("{\"baseline\": 1, \"x\"", "is no baseline"), ("", "is no baseline")]
    {
        std::fs::write(folder.join("storms/baselines/checkout.json"), text).unwrap();
        let (_, err) = written(&squall_in(&folder, &AGAINST).code(2));
        assert!(err.contains(what) && err.contains("--save-baseline"), "{err}");
    }
    let (_, err) = written(&squall_in(&folder, &["run", "storms/checkout.yaml", "--baseline", "nothing.json"]).code(2));
    assert!(err.contains("cannot read the baseline `nothing.json`"), "{err}");
}

#[test]
fn several_topologies_run_in_one_call_with_one_summary_and_one_junit_file() {
    let folder = fresh_folder("pipeline-several");
    std::fs::write(folder.join("shop.yaml"), built_in("chain").replace("p99 < 52ms", "p99 < 5ms")).unwrap();
    let arguments = ["run", "cascade", "shop.yaml", "chain", "--junit", "junit.xml", "--github", "--json", "all.json"];
    let (out, _) = written(&squall_in(&folder, &arguments).code(1));
    assert!(out.contains("2 of 3 passed"), "{out}");
    let ends: Vec<&str> = out.lines().rev().take(5).collect();
    assert!(ends.iter().any(|line| line.starts_with("PASS  cascade ")), "{out}");
    let annotation = out.lines().find(|line| line.starts_with("::error ")).unwrap();
    assert!(annotation.starts_with("::error file=shop.yaml,line=") && annotation.contains("p99 < 5ms"), "{annotation}");
    let junit = std::fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert_eq!(junit.matches("<testsuite ").count(), 3, "{junit}");
    assert_eq!(junit.matches("<failure ").count(), 1, "{junit}");
    let all = json(&folder.join("all.json"));
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|r| r["scenario"].as_str().unwrap()).collect();
    assert_eq!(names[0], "cascade");
    let alone = json_of(&["run", "cascade", "--json", "-"]);
    assert_eq!(all[0]["digest"], alone["digest"], "the same alone and in company");
}

fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&written(&squall(arguments)).0).unwrap()
}

#[test]
fn several_baselines_are_a_folder_of_files() {
    let folder = fresh_folder("pipeline-folder");
    squall_in(&folder, &["run", "chain", "cascade", "--save-baseline", "kept", "--quiet"]).success();
    assert!(folder.join("kept/chain.json").exists() && folder.join("kept/cascade.json").exists());
    squall_in(&folder, &["run", "chain", "cascade", "--baseline", "kept", "--quiet"]).success().stdout_eq("");
    let worse = ["run", "chain", "cascade", "--baseline", "kept", "--set", "services.order.workers=2"];
    let (out, _) = written(&squall_in(&folder, &worse).code(1));
    assert!(out.contains("services.order.workers: 50 → 2"), "{out}");
}

#[test]
fn two_topologies_are_compared_exactly_and_over_seeds() {
    let exact = json_of(&["compare", "cascade", "cascade-breaker", "--json", "-"]);
    assert_eq!((exact["evidence"].as_str(), exact["verdict"].as_str()), (Some("exact"), Some("better")));
    let back = squall(&["compare", "cascade-breaker", "cascade"]).code(1);
    let (out, _) = written(&back);
    assert!(out.starts_with("REGRESSED  worse: checkout "), "{out}");
    let set = ["compare", "social", "social", "--seeds", "6", "--set", "services.post.workers=1", "--json", "-"];
    let seeds = json_of(&set);
    assert_eq!((seeds["evidence"].as_str(), seeds["runs"].as_u64()), (Some("pairs"), Some(6)));
    assert_eq!(seeds["settings"][0]["path"], "services.post.workers");
    let change = &seeds["changes"][0];
    assert!(change["interval"].is_array() && change["p"].is_number(), "{change}");
}

#[test]
fn reports_baselines_and_topologies_are_compared_with_one_another() {
    let folder = repository("compare-kinds");
    let run = ["run", "storms/checkout.yaml", "--json", "report.json", "--quiet"];
    squall_in(&folder, &run).success();
    let sides = ["storms/checkout.yaml", "report.json", "storms/baselines/checkout.json"];
    for base in sides {
        for new in sides {
            let (out, _) = written(&squall_in(&folder, &["compare", base, new]).success());
            assert!(out.starts_with("SAME"), "{base} and {new}: {out}");
        }
    }
    std::fs::write(folder.join("none.json"), "{\"schema\": 1}").unwrap();
    squall_in(&folder, &["compare", "none.json", "report.json"]).code(2);
    squall_in(&folder, &["compare", "nothing", "report.json"]).code(2);
    squall_in(&folder, &["compare", "cascade", "report.json", "--set", "a=b"]).code(2);
    squall_in(&folder, &["compare", "cascade", "cascade", "--seeds", "x"]).code(2);
}
