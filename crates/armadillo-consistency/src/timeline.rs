//! A round on the timeline of the test's report: its fault, what was done to servers, and the operations that met it.

use std::time::{Duration, Instant};

use armadillo_harness::event::Tone;
use armadillo_harness::fixture::TestContext;

use crate::history::{Action, Found, History, Operation};
use crate::report::RoundReport;
use crate::subject::Wrote;

/// How many operations of a round are shown: those nearest to what was done to servers.
const MOST: usize = 200;

/// How long before and after something was done to a server operations are worth showing, in microseconds.
const NEAR: u64 = 500_000;

/// Shows a round whose history began at `begun`.
pub(crate) fn show(
    cx: &TestContext,
    round: &RoundReport,
    history: &History,
    begun: tokio::time::Instant,
) {
    let begun = begun.into_std();
    let at = |us: u64| begun + Duration::from_micros(us);
    let tone = match (round.violations.is_empty(), round.counts()) {
        (false, _) => Tone::Bad,
        (true, false) => Tone::Doubtful,
        (true, true) => Tone::Good,
    };
    cx.show(
        "rounds",
        &round.to_string(),
        begun,
        begun + round.took,
        tone,
    );
    for (moment, what) in &history.marks {
        cx.show("faults", what, at(moment.us), at(moment.us), Tone::Plain);
    }
    let now = Instant::now();
    for operation in chosen(history) {
        let (lane, text, tone) = described(operation);
        let from = at(operation.invoked.us);
        let to = operation.returned.map_or(now, |returned| at(returned.us));
        cx.show(lane, &text, from, to, tone);
    }
}

/// The operations that were under way near a mark, the nearest first.
fn chosen(history: &History) -> Vec<&Operation> {
    let distance = |operation: &Operation| {
        let from = operation.invoked.us;
        let to = operation.returned.map_or(u64::MAX, |returned| returned.us);
        let away = |mark: u64| from.saturating_sub(mark).max(mark.saturating_sub(to));
        let marks = history.marks.iter().map(|(moment, _)| away(moment.us));
        marks.min().unwrap_or(u64::MAX)
    };
    let operations = history.operations.iter();
    let mut near: Vec<(u64, &Operation)> = operations
        .map(|operation| (distance(operation), operation))
        .filter(|(distance, _)| *distance <= NEAR)
        .collect();
    near.sort_by_key(|(distance, operation)| (*distance, operation.invoked));
    near.truncate(MOST);
    near.into_iter().map(|(_, operation)| operation).collect()
}

fn described(operation: &Operation) -> (&'static str, String, Tone) {
    let (client, key) = (operation.client, &operation.key);
    match &operation.action {
        Action::Write { wrote, .. } => {
            let (became, tone) = match wrote {
                Some(Wrote::Acknowledged) => ("acknowledged".to_owned(), Tone::Good),
                Some(Wrote::Refused(why)) => (format!("refused: {why}"), Tone::Plain),
                Some(Wrote::Unknown(why)) => (format!("unknown: {why}"), Tone::Doubtful),
                None => ("no answer".to_owned(), Tone::Doubtful),
            };
            let text = format!("client {client} writes {key}: {became}");
            ("writes", text, tone)
        }
        Action::Read { found } => {
            let (became, tone) = match found {
                Some(Found::Body(body)) => (format!("found {body}"), Tone::Good),
                Some(Found::Nothing) => ("found nothing".to_owned(), Tone::Good),
                Some(Found::Failed(why)) => (format!("failed: {why}"), Tone::Doubtful),
                None => ("no answer".to_owned(), Tone::Doubtful),
            };
            let text = format!("client {client} reads {key}: {became}");
            ("reads", text, tone)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Moment;

    fn read(from: u64, to: Option<u64>) -> Operation {
        let moment = |us| Moment { order: us, us };
        Operation {
            client: 1,
            key: "k".to_owned(),
            action: Action::Read { found: None },
            invoked: moment(from),
            returned: to.map(moment),
        }
    }

    #[test]
    fn the_operations_nearest_to_a_fault_are_chosen() {
        let mut history = History::default();
        history.marks.push((
            Moment {
                order: 9,
                us: 2_000_000,
            },
            "kill".to_owned(),
        ));
        history.operations = vec![
            read(0, Some(1_000_000)),
            read(0, Some(1_600_000)),
            read(1_999_000, Some(2_001_000)),
            read(1_000_000, None),
            read(2_600_000, Some(2_700_000)),
        ];
        let from = |operation: &&Operation| operation.returned.map(|moment| moment.us);
        let ends: Vec<_> = chosen(&history).iter().map(from).collect();
        assert_eq!(ends, [None, Some(2_001_000), Some(1_600_000)]);
        history.operations = (0..500).map(|us| read(us, Some(us + 1_999_000))).collect();
        assert_eq!(chosen(&history).len(), MOST);
    }
}
