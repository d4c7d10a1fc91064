//! The program around the commands: starter files, lists, completions, exit codes, pipes.

use std::process::Stdio;

use crate::{command, fresh_folder, squall, squall_in, written};

#[test]
fn new_writes_a_file_that_passes_and_overwrites_none() {
    let folder = fresh_folder("new");
    squall_in(&folder, &["new", "shop"]).code(0).stdout_eq("shop.yaml is written; next: squall check shop.yaml\n");
    squall_in(&folder, &["check", "shop.yaml"]).code(0).stderr_eq("");
    let before = std::fs::read(folder.join("shop.yaml")).unwrap();
    let (_, errors) = written(&squall_in(&folder, &["new", "shop.yaml"]).code(2));
    assert!(errors.contains("`shop.yaml` is already there"), "{errors}");
    assert_eq!(std::fs::read(folder.join("shop.yaml")).unwrap(), before);
}

#[test]
fn new_refuses_names_that_are_paths_or_options() {
    let folder = fresh_folder("new-names");
    for name in ["../shop", "a/b", "a b", ".hidden", ""] {
        squall_in(&folder, &["new", name]).code(2);
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn list_has_a_line_for_each_built_in_topology() {
    let (out, _) = written(&squall(&["list"]).code(0));
    let chain = out.lines().find(|line| line.starts_with("chain "));
    assert!(chain.is_some_and(|line| line.contains("  The healthy chain: ")), "{out}");
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (out, _) = written(&squall(&["completions", shell]).code(0));
        assert!(out.contains("squall"), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for arguments in
        [&["chekc"][..], &["check"], &["check", "chain", "--set", "nonsense"], &["--color", "pink", "list"], &[]]
    {
        squall(arguments).code(2);
    }
}

#[test]
fn a_seed_that_is_none_is_told_what_one_is() {
    for seed in ["-1", "1.5", "x", "18446744073709551616"] {
        let told = squall(&["run", "chain", "--seed", seed]).code(2).get_output().stderr.clone();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.contains("a seed is a whole number from 0 to 18446744073709551615"), "{seed}: {told}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_not_an_error() {
    let mut child =
        command(&fresh_folder("pipe"), &["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_exit_code_3() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let output = command(&fresh_folder("full"), &["schema"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error: cannot write: "));
}
