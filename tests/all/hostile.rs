//! Files that mean harm, or no good: refused at once, with a place, and without falling over.

use std::time::{Duration, Instant};

use crate::{fresh_folder, squall_in, written};

/// Longer than any of this takes on a busy machine without optimisation; a file that blows up takes minutes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Checks a file of these bytes, which must be refused before it blows up; gives what was said.
fn refused(name: &str, bytes: &[u8]) -> String {
    let folder = fresh_folder(&format!("hostile-{name}"));
    std::fs::write(folder.join("it.yaml"), bytes).unwrap();
    let start = Instant::now();
    let (out, errors) = written(&squall_in(&folder, &["check", "it.yaml"]).code(2));
    assert!(start.elapsed() < PATIENCE, "{name} took {:?}", start.elapsed());
    assert_eq!(out, "");
    assert!(errors.contains("it.yaml:"), "{name} has no place: {errors}");
    errors
}

fn many(text: &str, times: usize) -> Vec<u8> {
    text.repeat(times).into_bytes()
}

#[test]
fn what_cannot_be_a_topology_is_refused_soon_with_a_place() {
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "the file is empty"),
        ("comment", b"# nothing\n".to_vec(), "the file is empty"),
        ("flow-depth", many("[", 100_000), "nested too deeply"),
        ("block-depth", many("- ", 100_000), "nested too deeply"),
        ("map-depth", many("{a: ", 100_000), "nested too deeply"),
        ("indented-depth", indented(1_500), "nested too deeply"),
        ("alias-bomb", alias_bomb(), "too many values"),
        ("alias-depth", alias_depth(), "nested too deeply"),
        ("self-alias", b"a: &a [*a]\n".to_vec(), "an alias that contains itself"),
        ("documents", b"name: a\n---\nname: b\n".to_vec(), "a second document"),
        ("duplicate", b"name: a\nname: b\n".to_vec(), "`name` is given twice"),
        ("not-utf8", b"name: a\nabout: \xff\xfe\n".to_vec(), "it.yaml:2:8: not UTF-8"),
        ("utf16", b"\xff\xfen\0a\0m\0e\0".to_vec(), "not UTF-8"),
        ("nul", b"name: a\0b\n".to_vec(), ""),
        ("large", many("# a line that says nothing\n", 400_000), "longer than a topology may be"),
        ("long-list", many("- a\n", 200_000), "expected a topology"),
        ("long-line", many("a", 1 << 20), "expected a topology"),
        ("long-keys", (0..100_000).flat_map(|n| format!("key{n}: 1\n").into_bytes()).collect(), "unknown key `key0`"),
        ("dangling", dangling(), "there is no service `t0`"),
        ("long-expect", [b"expect:\n".to_vec(), many("  - a b < 1\n", 100_000)].concat(), "and 801 more"),
        ("quotes", many("\"", 100_001), ""),
        ("anchors", many("&a ", 100_000), ""),
        ("questions", many("? ", 100_000), ""),
        ("brackets", many("[]", 100_000), ""),
        ("commas", many("[,", 100_000), ""),
        ("tabs", b"name: a\nservices:\n\ta: {}\n".to_vec(), "a tab"),
        ("tag", b"name: !!python/object:os.system x\n".to_vec(), "a YAML tag"),
        ("list", b"- a\n".to_vec(), "expected a topology"),
        ("scalar", b"hello".to_vec(), "expected a topology"),
    ];
    for (name, bytes, said) in table {
        let errors = refused(name, &bytes);
        assert!(errors.contains(said), "{name}: {errors}");
    }
}

#[test]
fn numbers_that_are_none_are_refused_wherever_a_number_is_wanted() {
    for number in ["1e999", ".nan", ".inf", "-.inf", "NaN", "-1", "0x10", "1e3", "99999999999999999999", "''", "~"] {
        for place in
            ["seed: N", "duration: N", "services: {a: {replicas: N}}", "services: {a: {cores: N}}", "warmup: Ns"]
        {
            let source = place.replace('N', number);
            let decimal = place.contains("cores") && number.starts_with('9');
            if !decimal {
                refused("number", source.as_bytes());
            }
        }
    }
}

#[test]
fn words_that_older_readers_take_for_booleans_get_a_hint() {
    for word in ["on", "off", "yes", "no", "On", "NO"] {
        let source = format!("services: {{a: {{endpoints: {{e: {{critical: {word}}}}}}}}}");
        let errors = refused("boolean", source.as_bytes());
        assert!(errors.contains("older YAML readers take"), "{word}: {errors}");
        assert!(errors.contains("known: true, false"), "{word}: {errors}");
    }
}

#[test]
fn a_cycle_of_ten_thousand_services_is_found_without_falling_over() {
    let count = 10_000;
    let service = |n: usize| format!("  s{n}: {{endpoints: {{e: {{steps: [{{call: s{}.e}}]}}}}}}\n", (n + 1) % count);
    let source = format!("services:\n{}", (0..count).map(service).collect::<String>());
    let folder = fresh_folder("hostile-cycle");
    std::fs::write(folder.join("it.yaml"), source).unwrap();
    let (_, errors) = written(&squall_in(&folder, &["check", "it.yaml"]).code(2));
    assert!(errors.contains("these calls never end"));
}

/// Many services and loads, each naming another one that is not there.
fn dangling() -> Vec<u8> {
    let service = |n| format!("  s{n}: {{endpoints: {{e: {{steps: [{{call: t{n}.e}}]}}}}}}\n");
    let load = |n| format!("  - {{name: l{n}, to: t{n}.e, rate: 1/s}}\n");
    let expect = |n| format!("  - u{n} p99 < 1s\n");
    let services: String = (0..8_000).map(service).collect();
    let loads: String = (0..8_000).map(load).collect();
    let expects: String = (0..8_000).map(expect).collect();
    format!("services:\n{services}load:\n{loads}expect:\n{expects}").into_bytes()
}

/// Each level indented below the one before.
fn indented(levels: usize) -> Vec<u8> {
    (0..levels).flat_map(|level| format!("{}a:\n", " ".repeat(level)).into_bytes()).collect()
}

/// Nine levels, each nine times the one before.
fn alias_bomb() -> Vec<u8> {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    text.into_bytes()
}

/// Each one level deeper than the one before.
fn alias_depth() -> Vec<u8> {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..1000 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    text.into_bytes()
}
