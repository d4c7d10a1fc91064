//! JUnit XML: a test suite a topology, a test case an expectation, and one more for the comparison with a baseline.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use squall_telemetry::compare::{Comparison, Verdict};

use super::{Case, settings};

/// The file's text.
pub(crate) fn render(cases: &[Case<'_>]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("squall");
    report.add_test_suites(cases.iter().map(suite));
    report.to_string()
}

fn suite(case: &Case<'_>) -> TestSuite {
    let mut suite = TestSuite::new(case.name);
    if let Some(file) = case.file {
        suite.extra.insert("file".into(), file.into());
    }
    if let Some(report) = case.report {
        suite.add_property(("seed", report.seed.to_string().as_str()));
        suite.add_property(("digest", report.digest.as_str()));
        if report.time.wall_s.is_finite() && report.time.wall_s >= 0.0 {
            suite.set_time(Duration::from_secs_f64(report.time.wall_s));
        }
    }
    for (expectation, line) in case.expectations() {
        let failure = (!expectation.pass).then(|| (expectation.actual.clone(), "expectation"));
        let mut test = test(case, &expectation.text, line, failure.as_ref());
        if expectation.pass {
            test.set_system_out(expectation.actual.as_str());
        }
        suite.add_test_case(test);
    }
    if let Some(comparison) = case.comparison {
        let failure = (comparison.verdict == Verdict::Regressed).then(|| (regression(comparison), "regression"));
        suite.add_test_case(test(case, "no figure regressed", case.changed_at, failure.as_ref()));
    }
    suite
}

fn test(case: &Case<'_>, name: &str, line: Option<usize>, failure: Option<&(String, &str)>) -> TestCase {
    let status = match failure {
        None => TestCaseStatus::success(),
        Some((message, kind)) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let place = match (case.file, line) {
                (Some(file), Some(line)) => format!("{file}:{line}: "),
                (Some(file), None) => format!("{file}: "),
                (None, _) => String::new(),
            };
            status.set_message(message.as_str()).set_type(*kind).set_description(format!("{place}{name}: {message}"));
            status
        }
    };
    let mut test = TestCase::new(name, status);
    test.set_classname(case.name);
    if let Some(file) = case.file {
        test.extra.insert("file".into(), file.into());
    }
    if let Some(line) = line {
        test.extra.insert("line".into(), line.to_string().into());
    }
    test
}

fn regression(comparison: &Comparison) -> String {
    let changes = settings(&comparison.settings);
    if changes.is_empty() { comparison.sentence.clone() } else { format!("{changes}; {}", comparison.sentence) }
}
