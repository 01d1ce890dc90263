//! Dbservers that are left alone for a while: nothing is done when they fail, and nobody gives them
//! anything to lead. `Target` says what is asked for, `Current` what is so.

use super::job::Clock;
use super::step::Step;
use super::view::View;

const ASKED: &str = "Target/MaintenanceDBServers";
const IS_SO: &str = "Current/MaintenanceDBServers";

/// Takes over what is asked for, and ends what is over.
pub(in crate::supervision) fn steps(view: View<'_>, clock: Clock) -> Vec<Step> {
    let mut steps = Vec::new();
    for server in view.names(ASKED) {
        let (asked, so) = (format!("{ASKED}/{server}"), format!("{IS_SO}/{server}"));
        let entry = view.at(&asked);
        let until = entry["Until"].as_str().unwrap_or("");
        let step = Step::new(format!("maintenance of {server}")).if_is(&asked, entry);
        if entry["Mode"] != "maintenance" || until <= clock.text().as_str() {
            let ended = step.delete(&asked).delete(&so);
            steps.push(ended.increment("Current/Version"));
        } else if view.at(&so) != entry {
            let begun = step.set(&so, entry.clone());
            steps.push(begun.increment("Current/Version"));
        }
    }
    let stale = view.names(IS_SO);
    for server in stale.filter(|server| view.at(&format!("{ASKED}/{server}")).is_null()) {
        let step = Step::new(format!("no maintenance of {server}"));
        let step = step.if_absent(&format!("{ASKED}/{server}"));
        let step = step.if_there(&format!("{IS_SO}/{server}"));
        let step = step.delete(&format!("{IS_SO}/{server}"));
        steps.push(step.increment("Current/Version"));
    }
    steps
}
