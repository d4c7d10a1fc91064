//! How much worse a figure may get: `p99 +5%`, `checkout goodput -1%`, `order -> inventory retries +100`.

use squall_model::Span;
use squall_model::spec::decode::Scalar as _;

use super::sheet::Entry;
use crate::figures::{Kind, METRICS, Metric, Unit, metric_by_key, metric_by_word};

/// A figure that must not move further than this in one direction.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// As written.
    pub text: String,
    subject: Option<String>,
    metric: &'static Metric,
    /// Whether it must not rise, or not fall.
    rises: bool,
    by: By,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum By {
    /// A share of what it was.
    Share(f64),
    /// An amount in the metric's own unit; of a share, 0.01 is a percentage point.
    Amount(f64),
}

/// What users see must not get worse by more than noise of the model: these hold where no other rules are given.
pub const USUAL: [&str; 5] = ["failed +0.1%", "ok -5%", "goodput -1%", "p50 +5%", "p99 +5%"];

impl Rule {
    /// The rules that hold where no others are given.
    pub fn usual() -> Vec<Self> {
        USUAL.iter().filter_map(|text| Self::parse(text).ok()).collect()
    }

    /// Reads `[SUBJECT] METRIC +N` or `-N`, N being a percentage or an amount with its unit. The error says what is
    /// wrong, and how it is written.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        const USAGE: &str = "write `[SUBJECT] METRIC +AMOUNT` or `-AMOUNT`, such as `p99 +5%` or `feed goodput -1%`";
        let wrong = |what: String| (what, USAGE.to_owned());
        let text = text.trim();
        let (figure, amount) =
            text.rsplit_once(char::is_whitespace).ok_or_else(|| wrong(format!("`{text}` is not a rule")))?;
        let figure = figure.trim();
        let longest = |words: &[&'static Metric]| {
            let fits = |metric: &&&'static Metric| {
                [metric.word, metric.key].iter().any(|word| {
                    figure.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with(char::is_whitespace))
                })
            };
            words.iter().filter(fits).max_by_key(|metric| metric.word.len()).copied()
        };
        let Some(metric) = longest(METRICS) else {
            let word = figure.rsplit(char::is_whitespace).next().unwrap_or(figure);
            let words: Vec<&str> = METRICS.iter().map(|metric| metric.word).collect();
            let hint = squall_model::spec::did_you_mean(word, &words);
            return Err((format!("`{word}` is not a metric"), hint));
        };
        let named =
            [metric.word, metric.key].into_iter().filter_map(|word| figure.strip_suffix(word)).min_by_key(|s| s.len());
        let subject = named.unwrap_or_default().trim().trim_matches('"');
        let (rises, amount) = match amount.split_at_checked(1) {
            Some(("+", amount)) => (true, amount),
            Some(("-", amount)) => (false, amount),
            _ => {
                return Err(wrong(format!(
                    "`{amount}` has no sign: is `{}` not to rise, or not to fall?",
                    metric.word
                )));
            }
        };
        let by =
            By::parse(metric, amount).ok_or_else(|| wrong(format!("`{amount}` is no amount of `{}`", metric.word)))?;
        let subject = (!subject.is_empty()).then(|| subject.to_owned());
        Ok(Self { text: text.to_owned(), subject, metric, rises, by })
    }

    /// Whether the rule is about this figure. Without a subject it is about what users see, or, if users do not see such
    /// a figure, about whatever has it.
    pub fn is_about(&self, entry: &Entry) -> bool {
        let users_see = ["ok", "degraded", "failed", "in_flight", "success_share", "goodput_per_s", "rate_per_s"]
            .contains(&self.metric.key)
            || self.metric.unit == Unit::Milliseconds && self.metric.key != "wait_p99_ms";
        core::ptr::eq(self.metric, entry.metric)
            && match &self.subject {
                Some(subject) => *subject == entry.subject,
                None => entry.kind == Kind::Load || !users_see,
            }
    }

    /// Whether a figure that was `base` and is `new` has moved too far.
    pub fn is_broken(&self, base: f64, new: f64) -> bool {
        let moved = if self.rises { new - base } else { base - new };
        let allowed = match self.by {
            By::Share(share) => share * base.abs(),
            By::Amount(amount) => amount,
        };
        // What is exactly at the limit holds, whatever the last bit of a sum says.
        moved > 0.0 && moved > allowed * (1.0 + 1e-9) + 1e-12
    }

    /// The subject it names.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }
}

impl By {
    fn parse(metric: &Metric, amount: &str) -> Option<Self> {
        let positive = |value: f64| (value.is_finite() && value >= 0.0).then_some(value);
        if let Some(percent) = amount.strip_suffix('%') {
            let share = percent.parse().ok().and_then(positive)? / 100.0;
            let points = matches!(metric.unit, Unit::Part | Unit::Share);
            return Some(if points { Self::Amount(share) } else { Self::Share(share) });
        }
        let span = || Span::parse(amount).ok().map(|span| span.as_nanos() as f64);
        let amount = match metric.unit {
            Unit::Milliseconds => span()? / 1e6,
            Unit::Seconds => span()? / 1e9,
            Unit::Rate => amount.strip_suffix("/s").unwrap_or(amount).parse().ok()?,
            _ => amount.parse().ok()?,
        };
        positive(amount).map(Self::Amount)
    }
}

/// The metric that a word or key names.
pub fn metric(name: &str) -> Option<&'static Metric> {
    metric_by_word(name).or_else(|| metric_by_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_up_to_its_limit_and_not_beyond() {
        let table = [
            ("p99 +5%", 100.0, 105.0, false),
            ("p99 +5%", 100.0, 105.1, true),
            ("p99 +5%", 100.0, 20.0, false),
            ("p99 +20ms", 100.0, 120.0, false),
            ("p99 +20ms", 100.0, 121.0, true),
            ("goodput -1%", 100.0, 99.0, false),
            ("goodput -1%", 100.0, 98.9, true),
            ("goodput -2/s", 100.0, 97.0, true),
            ("failed +0.1%", 0.0, 0.001, false),
            ("failed +0.1%", 0.0, 0.0011, true),
            ("success_share -1%", 1.0, 0.98, true),
            ("order -> inventory retries +100", 0.0, 101.0, true),
            ("order -> inventory attempts per call +10%", 1.0, 1.2, true),
            ("retries +10%", 0.0, 1.0, true),
            ("saturated +1s", 0.0, 1.5, true),
        ];
        for (text, base, new, broken) in table {
            assert_eq!(Rule::parse(text).unwrap().is_broken(base, new), broken, "{text}: {base} and {new}");
        }
        assert_eq!(Rule::usual().len(), USUAL.len());
    }

    #[test]
    fn a_rule_knows_its_subject() {
        let table = [
            ("p99 +5%", None),
            ("feed p99 +5%", Some("feed")),
            ("\"a b\" p99 +5%", Some("a b")),
            ("a -> b retries +1", Some("a -> b")),
        ];
        for (text, subject) in table {
            assert_eq!(Rule::parse(text).unwrap().subject(), subject, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_a_reason() {
        let table = [
            ("p99", "`p99` is not a rule"),
            ("feed p98 +5%", "`p98` is not a metric"),
            ("feed p99 5%", "`5%` has no sign: is `p99` not to rise, or not to fall?"),
            ("p99 +5", "`5` is no amount of `p99`"),
            ("p99 +x%", "`x%` is no amount of `p99`"),
            ("p99 +-5%", "`-5%` is no amount of `p99`"),
            ("", "`` is not a rule"),
        ];
        for (text, what) in table {
            assert_eq!(Rule::parse(text).unwrap_err().0, what);
        }
    }
}
