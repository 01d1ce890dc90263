//! What the sanitizers of servers have reported.

use super::Deployment;
use crate::sanitizers::{self, ReportMarks, SanitizerFinding};
use crate::server::ServerKey;
use crate::view::Place;

impl Deployment {
    /// Where the reports of every server's sanitizers end now.
    #[must_use]
    pub fn report_marks(&self) -> ReportMarks {
        ReportMarks::of(
            self.sanitized()
                .map(|(_, place)| place.dir_outside.as_path()),
        )
    }

    /// What the servers' sanitizers have reported between these marks.
    #[must_use]
    pub fn findings_between(&self, from: &ReportMarks, to: &ReportMarks) -> Vec<SanitizerFinding> {
        self.sanitized()
            .flat_map(|(key, place)| sanitizers::findings(key, &place.dir_outside, from, to))
            .collect()
    }

    /// The servers whose programs have sanitizers.
    fn sanitized(&self) -> impl Iterator<Item = (&ServerKey, &Place)> {
        let all = self.servers.iter();
        let sanitized = all.filter(|(_, server)| !server.program().sanitizers.is_empty());
        sanitized.filter_map(|(key, _)| Some((key, self.view.places.get(key)?)))
    }
}
