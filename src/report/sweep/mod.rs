//! How the results of a sweep are shown: one file a format. No wall time and no count of threads stands in any of them, so
//! the same sweep gives the same bytes.

pub(crate) mod csv;
pub(crate) mod html;
pub(crate) mod jsonl;
pub(crate) mod table;

#[cfg(test)]
mod tests {
    use squall_model::spec;
    use squall_telemetry::figures::Better;

    use super::{csv, jsonl};
    use crate::sweep::Runs;
    use crate::sweep::column::Column;
    use crate::sweep::results::Results;
    use crate::sweep::store::Record;

    /// Two runs of one variant, whose names and values have all that a format might stumble over.
    fn results() -> Results {
        let loaded = spec::load("services: {s: {endpoints: {e: {}}}}", &[], &|_| Err(String::new())).unwrap();
        let plan = squall_model::plan::compile(&loaded.topology).unwrap();
        let column = |name: &str| Column::of_claim(&plan, 0, name, Better::Neither);
        let record = |held: bool, value: Option<f64>| Record {
            digest: "ab".repeat(16),
            held: vec![true, held],
            values: vec![value, Some(0.1 + 0.2)],
        };
        Results {
            scenario: "a".to_owned(),
            paths: vec!["load.\"a, b\".rate".to_owned(), "services.s.workers".to_owned()],
            axes: Vec::new(),
            variants: vec![vec!["{kind: aws, cost: 1}".to_owned(), "two\nlines".to_owned()]],
            columns: vec![column("a p99_ms"), column("a -> b \"x\", attempts")],
            lines: Vec::new(),
            runs: vec![Runs {
                variant: 0,
                seeds: vec![1, u64::MAX],
                records: vec![record(true, None), record(false, Some(f64::INFINITY))],
            }],
            grid: true,
            until: false,
        }
    }

    #[test]
    fn a_table_has_a_row_a_run_and_its_cells_are_quoted_where_they_must_be() {
        let mut out = Vec::new();
        csv::write(&results(), &mut out).unwrap();
        let digest = "ab".repeat(16);
        let row = |seed: &str, verdict: &str, value: &str| {
            format!(
                "0,{seed},\"{{kind: aws, cost: 1}}\",\"two\nlines\",{verdict},{digest},{value},0.30000000000000004\r\n"
            )
        };
        let head = "variant,seed,\"load.\"\"a, b\"\".rate\",services.s.workers,verdict,digest,a p99_ms,\"a -> b \"\"x\"\", attempts\"\r\n";
        let rows = row("1", "pass", "") + &row("18446744073709551615", "fail", "inf");
        assert_eq!(String::from_utf8(out).unwrap(), head.to_owned() + &rows);
    }

    #[test]
    fn every_line_is_json_that_reads_back_to_the_same_bits() {
        let mut out = Vec::new();
        jsonl::write(&results(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), text.ends_with('\n')), (2, true));
        assert_eq!(lines[0]["set"]["load.\"a, b\".rate"], "{kind: aws, cost: 1}");
        assert_eq!(lines[0]["set"]["services.s.workers"], "two\nlines");
        assert_eq!((&lines[0]["held"], &lines[0]["verdict"]), (&serde_json::json!([true, true]), &"pass".into()));
        assert_eq!((lines[1]["seed"].as_u64(), &lines[1]["verdict"]), (Some(u64::MAX), &"fail".into()));
        // JSON has no word for what is not finite.
        assert!(lines.iter().all(|line| line["figures"]["a p99_ms"].is_null()));
        let exact = lines[0]["figures"]["a -> b \"x\", attempts"].as_f64().unwrap();
        assert_eq!(exact.to_bits(), (0.1f64 + 0.2).to_bits());
    }
}
