//! Which events are shown: a list such as `info,shop::till=debug,hyper=off`.

use tracing::level_filters::LevelFilter;

/// Levels by the target that they are for, the longest target first. The empty target is everybody's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<(String, LevelFilter)>);

impl Filter {
    /// Reads a list, and tells which of its parts it could not understand.
    pub(super) fn parse(list: &str) -> (Self, Vec<&str>) {
        let mut rules: Vec<(String, LevelFilter)> = Vec::new();
        let mut unknown = Vec::new();
        for part in list.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            match rule(part) {
                Some((target, level)) => {
                    // The last word on a target counts.
                    rules.retain(|(other, _)| *other != target);
                    rules.push((target.to_owned(), level));
                }
                None => unknown.push(part),
            }
        }
        rules.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        (Self(rules), unknown)
    }

    /// The level up to which events of this target are shown.
    pub(super) fn level_of(&self, target: &str) -> LevelFilter {
        let rule = self.0.iter().find(|(start, _)| target.starts_with(start));
        rule.map_or(LevelFilter::OFF, |(_, level)| *level)
    }

    /// The level up to which anything is shown.
    pub(super) fn most(&self) -> LevelFilter {
        let levels = self.0.iter().map(|(_, level)| *level);
        levels.max().unwrap_or(LevelFilter::OFF)
    }
}

/// One part of a list: `level`, `target=level`, or `target`, of which everything is shown.
fn rule(part: &str) -> Option<(&str, LevelFilter)> {
    let is_target = |text: &str| {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.');
        !text.is_empty() && text.chars().all(allowed)
    };
    let rule = match part.split_once('=') {
        Some((target, level)) => (target.trim(), level.trim().parse().ok()?),
        None => match part.parse() {
            Ok(level) => return Some(("", level)),
            Err(_) => (part, LevelFilter::TRACE),
        },
    };
    is_target(rule.0).then_some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_target_decides() {
        let (filter, unknown) = Filter::parse("warn, shop=info,shop::till=TRACE,hyper=off,log");
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(filter.level_of("shop"), LevelFilter::INFO);
        assert_eq!(filter.level_of("shop::till::drawer"), LevelFilter::TRACE);
        assert_eq!(filter.level_of("hyper::client"), LevelFilter::OFF);
        assert_eq!(filter.level_of("log"), LevelFilter::TRACE);
        assert_eq!(filter.level_of("other"), LevelFilter::WARN);
        assert_eq!(filter.most(), LevelFilter::TRACE);
    }

    #[test]
    fn without_a_level_for_all_the_others_are_silent() {
        let (filter, _) = Filter::parse("shop=debug,shop=error");
        assert_eq!(filter.level_of("other"), LevelFilter::OFF);
        assert_eq!(filter.level_of("shop"), LevelFilter::ERROR);
        assert_eq!(filter.most(), LevelFilter::ERROR);
    }

    #[test]
    fn what_is_not_understood_is_told_and_the_rest_counts() {
        let (filter, unknown) = Filter::parse("shop[span]=debug,shop=loud,=info,debug,");
        assert_eq!(unknown, ["shop[span]=debug", "shop=loud", "=info"]);
        assert_eq!(filter.level_of("shop"), LevelFilter::DEBUG);
    }
}
