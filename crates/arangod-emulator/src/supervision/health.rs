//! The health of one server.

use std::time::{Duration, Instant};

use crate::settings::Supervision as Settings;

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// It was heard a short while ago.
    Good,
    /// Not so short.
    Bad,
    /// Long ago.
    Failed,
}

impl Status {
    /// The word in the tree.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Good => "GOOD",
            Self::Bad => "BAD",
            Self::Failed => "FAILED",
        }
    }

    /// The status of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Good, Self::Bad, Self::Failed]
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// What a server is after so long a silence. Nobody fails who was good a round ago.
    pub(super) fn judge(before: Option<Self>, silence: Duration, settings: &Settings) -> Self {
        if silence <= settings.ok {
            Self::Good
        } else if silence <= settings.grace || before == Some(Self::Good) {
            Self::Bad
        } else {
            Self::Failed
        }
    }
}

/// What is remembered of a server: by the clock of the leader, not by that of the server.
#[derive(Debug)]
pub(super) struct Watched {
    heartbeat: String,
    heard: Instant,
    /// When that was, for people.
    pub(super) heard_at: String,
}

impl Watched {
    /// A server that is waited for since then.
    pub(super) fn since(heard: Instant) -> Self {
        Self {
            heartbeat: String::new(),
            heard,
            heard_at: crate::system::timestamp(),
        }
    }

    /// Takes in the last heartbeat; only one that differs from the one before counts.
    pub(super) fn listen(&mut self, heartbeat: Option<&str>) {
        if let Some(heartbeat) = heartbeat
            && heartbeat != self.heartbeat
        {
            self.heartbeat = String::from(heartbeat);
            self.heard = Instant::now();
            self.heard_at = crate::system::timestamp();
        }
    }

    /// What the server is. One that has not been heard since this agent leads is not better than
    /// what the leader before has found.
    pub(super) fn judge(&self, before: Option<Status>, settings: &Settings) -> Status {
        match before {
            Some(before @ (Status::Bad | Status::Failed)) if self.heartbeat.is_empty() => {
                before.max(Status::judge(Some(before), self.silence(), settings))
            }
            before => Status::judge(before, self.silence(), settings),
        }
    }

    /// How long nothing new was heard.
    fn silence(&self) -> Duration {
        self.heard.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::Rules;

    fn settings() -> Settings {
        Settings {
            enabled: true,
            frequency: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            ok: Duration::from_secs(5),
            rules: Rules {
                failed_leader_adds_follower: true,
            },
        }
    }

    #[test]
    fn a_new_leader_believes_the_old_one_until_it_hears_better() {
        let settings = settings();
        let mut watched = Watched::since(Instant::now());
        assert_eq!(watched.judge(None, &settings), Status::Good);
        for before in [Status::Bad, Status::Failed] {
            assert_eq!(watched.judge(Some(before), &settings), before);
        }
        watched.listen(Some("now"));
        assert_eq!(watched.judge(Some(Status::Failed), &settings), Status::Good);
    }

    #[test]
    fn by_silence_and_never_from_good_to_failed() {
        let settings = settings();
        let judge =
            |before, seconds| Status::judge(before, Duration::from_secs(seconds), &settings);
        assert_eq!(judge(None, 5), Status::Good);
        assert_eq!(judge(Some(Status::Failed), 1), Status::Good);
        assert_eq!(judge(Some(Status::Good), 6), Status::Bad);
        assert_eq!(judge(Some(Status::Good), 60), Status::Bad);
        assert_eq!(judge(Some(Status::Bad), 10), Status::Bad);
        assert_eq!(judge(Some(Status::Bad), 11), Status::Failed);
        assert_eq!(judge(Some(Status::Failed), 11), Status::Failed);
        for status in [Status::Good, Status::Bad, Status::Failed] {
            assert_eq!(Status::parse(status.name()), Some(status));
        }
    }
}
