//! Metrics in the text format of Prometheus, as servers publish them.
//!
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::collections::BTreeMap;

/// What a server published at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<Series>);

/// One value, named by its metric and its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The metric: `process_open_fds`.
    pub metric: String,
    /// Its labels: `grpc_method` = `Range`.
    pub labels: BTreeMap<String, String>,
    /// The value. The metric's name says its unit: `_bytes`, `_seconds`.
    pub value: f64,
}

/// A line that is not in the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number} of the metrics is invalid: {line:?}")]
pub struct MetricsError {
    /// Its number, from 1.
    pub number: usize,
    /// The beginning of the line.
    pub line: String,
}

/// How much of an invalid line an error shows, in characters.
const SHOWN: usize = 80;

impl Metrics {
    /// Reads the text format. Comments, types and timestamps are not kept.
    ///
    /// # Errors
    /// The first line that is invalid.
    pub fn parse(text: &str) -> Result<Self, MetricsError> {
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        let series = lines.map(|(index, line)| {
            series(line).ok_or_else(|| MetricsError {
                number: index + 1,
                line: line.chars().take(SHOWN).collect(),
            })
        });
        series.collect::<Result<_, _>>().map(Self)
    }

    /// The value of a metric, summed over all its labels; `None` if the server does not publish it.
    #[must_use]
    pub fn value(&self, metric: &str) -> Option<f64> {
        self.value_with(metric, &[])
    }

    /// The value of a metric, summed over the series with these labels; `None` if there is none.
    #[must_use]
    pub fn value_with(&self, metric: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |series: &&Series| {
            let given = |(name, value): &(&str, &str)| {
                series.labels.get(*name).is_some_and(|known| known == value)
            };
            series.metric == metric && labels.iter().all(given)
        };
        let mut found = self.0.iter().filter(has).peekable();
        found.peek()?;
        Some(found.map(|series| series.value).sum())
    }

    /// Every value, in the order in which the server published them.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.0
    }
}

/// `metric{label="value",...} value [timestamp]`
fn series(line: &str) -> Option<Series> {
    let line = line.trim();
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
    let (metric, rest) = line.split_at(end);
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let mut numbers = rest.split_ascii_whitespace();
    let value = numbers.next()?.parse().ok()?;
    if let Some(timestamp) = numbers.next() {
        timestamp.parse::<i64>().ok()?;
    }
    let is_whole = is_name(metric) && numbers.next().is_none();
    is_whole.then(|| Series {
        metric: metric.to_owned(),
        labels,
        value,
    })
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !text.is_empty() && text.chars().all(is_part)
}

/// The labels after `{`, and what follows `}`.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        let name = name.trim_end();
        if !is_name(name) {
            return None;
        }
        labels.insert(name.to_owned(), value);
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// A value without its escapes, and what follows its closing quotation mark.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn series_of_one_metric_are_summed() {
        let text = "# HELP handled_total Requests.\n# TYPE handled_total counter\n\
                    handled_total{method=\"Put\",code=\"OK\"} 3\nhandled_total{method=\"Range\",code=\"OK\",} 4 1700000000000\n\
                    handled_total_bucket{le=\"+Inf\"} +Inf\n\n  up   1.5e+09\n";
        let metrics = Metrics::parse(text).unwrap();
        assert_eq!(metrics.value("handled_total"), Some(7.0));
        let put = metrics.value_with("handled_total", &[("method", "Put")]);
        assert_eq!(put, Some(3.0));
        assert_eq!(
            metrics.value_with("handled_total", &[("method", "None")]),
            None
        );
        assert_eq!(metrics.value("up"), Some(1.5e9));
        assert_eq!(metrics.value("handled"), None);
        assert_eq!(
            metrics.value("handled_total_bucket"),
            Some(f64::INFINITY),
            "{metrics:?}"
        );
    }

    #[test]
    fn a_line_that_is_no_value_is_named() {
        for wrong in [
            "up",
            "up{",
            "up{a} 1",
            "up{a=\"b\" c=\"d\"} 1",
            "up one",
            "up 1 soon",
            "up 1 2 3",
            "<html>",
            "{a=\"b\"} 1",
        ] {
            let error = Metrics::parse(&format!("ok 1\n{wrong}\n")).unwrap_err();
            assert_eq!((error.number, error.line.as_str()), (2, wrong));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<f64>().prop_filter("a number", |v| !v.is_nan()), label in ".*") {
            let label = label.replace('\r', "");
            let escaped = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let metrics = Metrics::parse(&format!("m{{l=\"{escaped}\"}} {value:e}"));
            let metrics = metrics.unwrap();
            prop_assert_eq!(&metrics.series()[0].labels["l"], &label);
            prop_assert_eq!(metrics.value("m"), Some(value));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = Metrics::parse(&text);
        }
    }
}
