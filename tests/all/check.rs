//! `squall check`: every mistake at once, each with its place and a way to mend it.

use crate::{file, squall, written};

#[test]
fn five_mistakes_in_one_file_are_five_errors() {
    let (out, errors) = written(&squall(&["check", "mistakes.yaml"]).code(2));
    assert_eq!(out, "");
    insta::assert_snapshot!(errors);
}

#[test]
fn mistakes_between_parts_of_a_file_are_found_together_with_those_in_one() {
    let (_, errors) = written(&squall(&["check", "dangling.yaml"]).code(2));
    insta::assert_snapshot!(errors);
}

#[test]
fn what_is_rarely_wise_is_a_warning_and_no_mistake() {
    let (out, errors) = written(&squall(&["check", "everything.yaml"]).code(0));
    assert_eq!(out, "everything.yaml: ok, 5 services, 4 loads, 10 warnings\n");
    insta::assert_snapshot!(errors);
}

#[test]
fn what_only_a_policy_refuses_is_told_once_and_at_its_place() {
    let faulty = [
        ("retry={attempts: 3, budget: {kind: grpc, max_tokens: 0}}", "`max_tokens` must be "),
        ("breaker={kind: polly, break_duration: 100ms}", "`break_duration` must be "),
    ];
    for (value, said) in faulty {
        let set = format!("services.order.calls.inventory.{value}");
        let (out, errors) = written(&squall(&["check", "chain", "--set", &set]).code(2));
        assert_eq!(out, "", "{set}");
        assert!(errors.contains(said) && errors.contains(&set), "{errors}");
        assert_eq!(errors.matches("error: ").count(), 1, "{errors}");
        assert_eq!(errors, written(&squall(&["run", "chain", "--set", &set]).code(2)).1);
    }
}

#[test]
fn a_built_in_topology_is_checked_by_its_name() {
    squall(&["check", "chain"]).code(0).stdout_eq("chain: ok, 3 services, 1 load\n").stderr_eq("");
}

#[test]
fn several_files_are_all_checked_and_the_worst_decides() {
    let (out, errors) = written(&squall(&["check", "mistakes.yaml", "chain"]).code(2));
    assert_eq!(out, "chain: ok, 3 services, 1 load\n");
    assert!(errors.contains("mistakes.yaml:"));
}

#[test]
fn a_mistake_in_an_override_points_at_the_override() {
    let arguments = [
        "check",
        "chain",
        "--set",
        "services.ordr.workers=5",
        "--set",
        "services.order.workrs=5",
        "--set",
        "load.fed.rate=3/s",
        "--set",
        "services.order.workers.limit=3",
        "--set",
        "services.order.calls.inventori.timeout=1s",
        "--duration",
        "5",
    ];
    let (_, errors) = written(&squall(&arguments).code(2));
    insta::assert_snapshot!(errors);
}

#[test]
fn an_override_can_set_what_the_file_does_not_say() {
    let arguments = ["check", "chain", "--set", "services.order.calls.inventory.retry.attempts=9", "--seed", "7"];
    let (out, errors) = written(&squall(&arguments).code(0));
    assert_eq!(out, "chain: ok, 3 services, 1 load, 3 warnings\n");
    assert!(errors.contains("makes 9 attempts without a wait in between"), "{errors}");
    assert!(errors.contains("gives up after 1s, while `order.place` may wait for up to 9s"), "{errors}");
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_the_nearest_name() {
    let (_, errors) = written(&squall(&["check", "chian"]).code(2));
    let said = "error: there is no file and no built-in topology `chian`\n  hint: did you mean `chain`? known: ";
    assert!(errors.starts_with(said), "{errors}");
}

#[test]
fn colour_is_for_terminals_or_for_those_who_ask() {
    let plain = written(&squall(&["check", "mistakes.yaml"])).1;
    let asked = written(&squall(&["--color", "always", "check", "mistakes.yaml"])).1;
    let never = written(&squall(&["--color", "never", "check", "mistakes.yaml"])).1;
    assert!(!plain.contains('\u{1b}'));
    assert!(asked.contains('\u{1b}'));
    assert_eq!(plain, never);
}

#[test]
fn quiet_says_nothing_of_what_is_fine() {
    squall(&["check", "--quiet", &file("everything.yaml")]).code(0).stdout_eq("").stderr_eq("");
}

#[test]
fn every_lint_has_a_file_that_sets_it_off_and_one_that_nearly_does() {
    for lint in squall_model::check::LINTS {
        let (out, errors) = written(&squall(&["check", &format!("lints/{lint}.yaml"), "--deny", lint]).code(1));
        assert!(out.is_empty() && errors.contains(&format!("error[{lint}]")), "{lint}: {out}{errors}");
        assert!(errors.contains("= help: "), "{lint} says how to mend it: {errors}");
        let nearly = format!("lints/{lint}-nearly.yaml");
        let (_, errors) = written(&squall(&["check", &nearly, "--deny", lint]).code(0));
        assert!(!errors.contains(&format!("[{lint}]")), "{lint}: {errors}");
        let (_, errors) = written(&squall(&["check", &format!("lints/{lint}.yaml"), "--allow", lint]).code(0));
        assert!(!errors.contains(&format!("[{lint}]")), "{lint}: {errors}");
    }
}

#[test]
fn every_lint_is_explained_and_nothing_else_is_called_one() {
    let page = include_str!("../../docs/lints.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut told: Vec<&str> = rows.map(|(lint, _)| lint).collect();
    told.sort_unstable();
    assert_eq!(told, squall_model::check::LINTS);
}

#[test]
fn a_lint_that_does_not_exist_is_a_mistake_of_the_command_line() {
    let (_, errors) = written(&squall(&["check", "chain", "--deny", "no-timeouts"]).code(2));
    assert!(errors.contains("no-timeout"), "{errors}");
}

#[test]
fn built_in_topologies_are_refused_nothing_and_warn_of_what_they_show() {
    let (names, _) = written(&squall(&["list"]));
    // What these are about is what the lints find.
    let about = [
        "cascade",
        "cascade-breaker",
        "chatty",
        "deadline-propagation",
        "retries-compared",
        "retry-storm",
        "shared-database",
        "synchronous-chain",
    ];
    for name in names.lines().filter_map(|line| line.split_whitespace().next()) {
        let (out, errors) = written(&squall(&["check", name]).code(0));
        let silent = !out.contains("warning");
        assert!(silent || about.contains(&name), "{name}: {errors}");
    }
}
