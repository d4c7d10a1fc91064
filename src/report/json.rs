//! `report.json`: the report as it is, indented for people who look into it.

use squall_telemetry::report::Report;

/// The report as JSON, with a newline at the end.
pub(crate) fn render(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report).map(|json| json + "\n")
}

/// Several reports as a JSON list.
pub(crate) fn render_all<'r>(reports: impl Iterator<Item = &'r Report>) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&reports.collect::<Vec<_>>()).map(|json| json + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::sample;

    #[test]
    fn what_is_written_can_be_read_again() {
        let report = sample::cascade();
        let json = render(&report).unwrap();
        assert!(json.starts_with("{\n  \"schema\": 1,\n  \"scenario\": \"cascade\",\n") && json.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
