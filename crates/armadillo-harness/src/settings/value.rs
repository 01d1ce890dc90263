//! Reading single values: numbers, durations, sizes, choices. Every refusal says what would be right.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use armadillo_orchestrator::closest::closest;
use armadillo_orchestrator::duration::parse_millis;

use super::error::Wrong;
use crate::checking::{CheckPolicy, Policies, known_checkers};
use crate::options::Copies;
use crate::select::shard::{Shard, ShardProblem};

/// The one value of a setting that does not repeat: the last, when a list was given.
pub(super) fn last(values: &[String]) -> &str {
    values.last().map_or("", |value| value.trim())
}

/// `true`, `1`, `yes`, `on` or their opposites.
pub(super) fn switch(values: &[String]) -> Result<bool, Wrong> {
    match last(values).to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        other => Err(Wrong::new(
            format!("`{other}` is not a boolean"),
            "write `true` or `false`",
        )),
    }
}

/// A whole number, not negative.
pub(super) fn number<N: FromStr>(values: &[String]) -> Result<N, Wrong> {
    let text = last(values);
    text.parse().map_err(|_| {
        Wrong::new(
            format!("`{text}` is not a number in the valid range"),
            "write a number such as `3`",
        )
    })
}

/// How often each test runs; `None`: until one fails.
pub(super) fn repeat(values: &[String]) -> Result<Option<u32>, Wrong> {
    if matches!(last(values), "until-fail" | "infinite") {
        return Ok(None);
    }
    let times: u32 = number(values)?;
    if times == 0 {
        let help = "write 1 or more; to see what would run, use `--list`";
        return Err(Wrong::new("each test must run at least once", help));
    }
    Ok(Some(times))
}

/// A number of tests at once, or `auto`.
pub(super) fn parallel(values: &[String]) -> Result<Option<NonZeroUsize>, Wrong> {
    let text = last(values);
    if text.eq_ignore_ascii_case("auto") {
        return Ok(None);
    }
    match text.parse::<usize>() {
        Ok(number) => NonZeroUsize::new(number).map(Some).ok_or_else(|| {
            Wrong::new(
                "at least 1 test must run at a time",
                "write 1 to run one test at a time, or `auto` for the number of cores",
            )
        }),
        Err(_) => Err(Wrong::new(
            format!("`{text}` is not a number of tests"),
            "write a number of at least 1, or `auto`",
        )),
    }
}

/// A part of the selected tests.
pub(super) fn shard(values: &[String]) -> Result<Shard, Wrong> {
    let text = last(values);
    text.parse().map_err(|problem| match problem {
        ShardProblem::Form => Wrong::new(
            format!("`{text}` is not a shard"),
            "write which of how many, such as `2/4`, or `auto`",
        ),
        ShardProblem::Range => Wrong::new(
            format!("there is no shard `{text}`"),
            "shards are numbered from 1: the last of four is `4/4`; there may be 10000",
        ),
        ShardProblem::By(by) => Wrong::new(
            format!("tests cannot be distributed by `{by}`"),
            "write `topology`, `duration`, `hash` or `count` before the colon",
        ),
    })
}

/// A number of copies of each deployment, or `auto`.
pub(super) fn copies(values: &[String]) -> Result<Copies, Wrong> {
    let text = last(values);
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Copies::Auto);
    }
    match text.parse::<u32>() {
        Ok(number) => NonZeroU32::new(number).map(Copies::Exactly).ok_or_else(|| {
            Wrong::new(
                "at least 1 copy is needed",
                "write 1 to start each topology once, or `auto` to start more if that shortens the run",
            )
        }),
        Err(_) => Err(Wrong::new(
            format!("`{text}` is not a number of copies"),
            "write a number of at least 1, or `auto`",
        )),
    }
}

/// A time between two looks, or `off`.
pub(super) fn interval(values: &[String]) -> Result<Option<Duration>, Wrong> {
    let text = last(values);
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let every = duration(values)?;
    if every < SHORTEST_INTERVAL {
        let help = "write a longer time such as `5s`, or `off`";
        return Err(Wrong::new("the shortest interval is 10ms", help));
    }
    Ok(Some(every))
}

/// How long deployments stay up for the next run; `None`: not at all.
pub(super) fn reuse(values: &[String]) -> Result<Option<Duration>, Wrong> {
    match last(values).to_ascii_lowercase().as_str() {
        "off" | "false" | "0" | "no" => Ok(None),
        // As a switch is said in the environment.
        "true" | "1" | "yes" | "on" => Ok(Some(Duration::from_secs(600))),
        _ => duration(values).map(Some),
    }
}

/// A seed: decimal, or hexadecimal after `0x`.
pub(super) fn seed(values: &[String]) -> Result<u64, Wrong> {
    let text = last(values);
    let read = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    read.map_err(|_| {
        Wrong::new(
            format!("`{text}` is not a seed"),
            "write a number, for example the seed from the header of an earlier run",
        )
    })
}

/// `NAME=fail|warn|off`, each, of checkers that there are.
pub(super) fn policies(values: &[String]) -> Result<Policies, Wrong> {
    let choices = [
        ("fail", CheckPolicy::Fail),
        ("warn", CheckPolicy::Warn),
        ("off", CheckPolicy::Off),
    ];
    let known = known_checkers();
    let mut policies = Policies::default();
    for pair in values {
        let Some((name, what)) = pair.split_once('=') else {
            return Err(Wrong::new(
                format!("`{pair}` has no `=`"),
                "write `NAME=WHAT`, for example `log=warn`",
            ));
        };
        let name = name.trim();
        if !known.contains(name) {
            let help = match closest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    let known: Vec<&str> = known.into_iter().collect();
                    format!("this executable has {}", known.join(", "))
                }
            };
            return Err(Wrong::new(format!("unknown checker `{name}`"), help));
        }
        policies.set(name, choice(&[what.to_owned()], &choices)?);
    }
    Ok(policies)
}

/// What time limits may be multiplied with: beyond that it would be the same as none.
const FACTORS: RangeInclusive<f64> = 0.001..=10_000.0;

/// A factor greater than zero.
pub(super) fn factor(values: &[String]) -> Result<f64, Wrong> {
    let text = last(values);
    match text.parse::<f64>() {
        Ok(factor) if FACTORS.contains(&factor) => Ok(factor),
        Ok(factor) if factor.is_finite() && factor > 0.0 => Err(Wrong::new(
            format!("`{text}` is out of range"),
            format!(
                "write a number from {} to {}",
                FACTORS.start(),
                FACTORS.end()
            ),
        )),
        _ => Err(Wrong::new(
            format!("`{text}` is not a factor greater than 0"),
            "write a number such as `2` or `0.5`",
        )),
    }
}

/// The shortest time between two looks at statistics: more often would be a load of its own.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The longest duration there is: longer than any run.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// A time limit as a person writes it: `30s`, `3m`, `1h30m`, `500ms`.
///
/// # Errors
/// When it is none, is zero, or is longer than a year.
pub fn time_limit(text: &str) -> Result<Duration, Wrong> {
    duration(&[text.to_owned()])
}

/// A duration: `30s`, `3m`, `1h30m`, `500ms`.
pub(super) fn duration(values: &[String]) -> Result<Duration, Wrong> {
    let text = last(values);
    match parse_millis(text).map(Duration::from_millis) {
        Some(duration) if duration.is_zero() => Err(Wrong::new(
            "a time limit must be greater than 0",
            "write a duration such as `30s`",
        )),
        Some(duration) if duration > LONGEST => Err(Wrong::new(
            format!("`{text}` is longer than a year"),
            "write a duration such as `30s`",
        )),
        Some(duration) => Ok(duration),
        None => {
            let seconds = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            Err(Wrong::new(
                format!("`{text}` is not a duration"),
                if seconds {
                    format!("add a unit: `{text}s`, `{text}m` or `{text}ms`")
                } else {
                    "write a duration such as `500ms`, `30s`, `3m` or `1h30m`".to_owned()
                },
            ))
        }
    }
}

/// A size in MiB: `4096`, `512M`, `4G`.
pub(super) fn mebibytes(values: &[String]) -> Result<u64, Wrong> {
    let text = last(values);
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "m" | "mb" | "mib" => 1,
        "g" | "gb" | "gib" => 1024,
        _ => 0,
    };
    match digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
    {
        Some(size) if size > 0 => Ok(size),
        _ => Err(Wrong::new(
            format!("`{text}` is not an amount of memory"),
            "write a size in MiB or with a unit: `4096`, `512M`, `4G`",
        )),
    }
}

/// One of these words.
pub(super) fn choice<T: Copy>(values: &[String], choices: &[(&str, T)]) -> Result<T, Wrong> {
    let text = last(values);
    let found = choices
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let all = words.join(", ");
        Wrong::new(
            format!("`{text}` is not one of {all}"),
            match closest(text, words) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of {all}"),
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    #[test]
    fn durations_are_read_with_their_units() {
        let limit = Duration::from_millis(5_400_000);
        assert_eq!(duration(&one("1h30m")), Ok(limit));
        assert!(duration(&one("0s")).is_err() && duration(&one("30s1m")).is_err());
        assert!(duration(&one("8761h")).is_err());
        assert_eq!(
            duration(&one("30")).unwrap_err().help,
            "add a unit: `30s`, `30m` or `30ms`"
        );
    }

    #[test]
    fn sizes_are_read_in_mebibytes() {
        assert_eq!(mebibytes(&one("4096")), Ok(4096));
        assert_eq!(mebibytes(&one("512M")), Ok(512));
        assert_eq!(mebibytes(&one("4 GiB")), Ok(4096));
        for text in ["", "0", "4T", "G", "99999999999999999999"] {
            assert!(mebibytes(&one(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_seed_may_be_hexadecimal() {
        assert_eq!(seed(&one("42")), Ok(42));
        assert_eq!(seed(&one("0xff")), Ok(255));
        assert!(seed(&one("ff")).is_err());
    }

    #[test]
    fn a_choice_that_is_none_is_answered_with_the_nearest() {
        let choices = [("workers", 1), ("process", 2)];
        assert_eq!(choice(&one("Process"), &choices), Ok(2));
        assert_eq!(
            choice(&one("proces"), &choices).unwrap_err().help,
            "did you mean `process`?"
        );
    }
}
