//! What happens to servers in a round.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The fault of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The leader is killed in mid-write, and started again when another one leads.
    KillLeader,
    /// The leader is frozen in mid-write, and goes on when another one has led for as long as it took to become leader.
    PauseLeader,
    /// While nobody writes, the leader is frozen together with one of the servers that clients talk through. When another
    /// one leads, and writes were acknowledged by way of the other fronts, both go on at the same moment, and what was
    /// written meanwhile is read through the front that stood still: it still knows the old leader only, and that one may
    /// not know the new one either.
    PauseLeaderAndFront,
    /// Leader and a follower are killed at once. Whether anything is acknowledged until they are back is the system's
    /// choice; that it is kept is not.
    KillLeaderAndFollower,
    /// A follower is killed, and when writes were acknowledged without it, the leader is killed in mid-write and the
    /// follower started: it lacks what was acknowledged, and must not lead. The leader is started when another one leads,
    /// or when there was time enough for that.
    KillFollowerThenLeader,
    /// A follower is killed in mid-write, and the leader up to 0.3 s later, while it is just finding out; then the follower
    /// is started. What was acknowledged or read in between is on the follower all the same, or it must not lead. The
    /// leader comes back as above.
    KillFollowerSoonLeader,
    /// A follower is frozen, and before anybody misses it the leader is killed in mid-write and the follower goes on: it
    /// may lead, but lacks what was acknowledged without asking it.
    PauseFollowerThenKillLeader,
    /// A follower is killed in mid-write, and started again when writes are acknowledged without it.
    KillFollower,
    /// In mid-write the leader is cut off from all other servers, while clients may still reach it, and is connected again when
    /// another one has led for as long as it took to become leader. Needs links.
    CutOffLeader,
    /// In mid-write, what the leader sends to a follower begins to be lost, and when all writes were answered or given up, the
    /// leader is killed. Nobody writes until the end: what the other followers have and this one lacks is read from the next
    /// leader, which is killed as well. If a third one leads, it must know what was read. Needs links.
    CutFollowerThenKillLeaders,
    /// From mid-write on, everything that the leader and the other servers send each other arrives 50 to 200 ms later, until writes
    /// were acknowledged in spite of it, or there was time for two failovers. Needs links.
    DelayLeader,
    /// Every server is restarted, one after the other, while writes go on.
    RollingRestart,
    /// A server that is in reserve is added, and then the leader is removed for good, while writes go on. Needs a server in reserve;
    /// the one that was removed is in reserve afterwards.
    ReplaceLeader,
    /// The servers are upgraded, one after the other, along the path of [`Proof::upgrade`](crate::Proof::upgrade), while writes go on:
    /// once in a proof.
    RollingUpgrade,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::KillLeader,
        Self::PauseLeader,
        Self::PauseLeaderAndFront,
        Self::KillLeaderAndFollower,
        Self::KillFollowerThenLeader,
        Self::KillFollowerSoonLeader,
        Self::PauseFollowerThenKillLeader,
        Self::KillFollower,
        Self::CutOffLeader,
        Self::CutFollowerThenKillLeaders,
        Self::DelayLeader,
        Self::RollingRestart,
        Self::ReplaceLeader,
        Self::RollingUpgrade,
    ];

    /// Whether it must come while a write is in flight.
    pub(crate) fn is_in_mid_write(self) -> bool {
        self != Self::PauseLeaderAndFront && !self.is_operation()
    }

    /// What a system needs for it that not every one has.
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Self::PauseLeaderAndFront => "clients need at least two servers to connect to",
            Self::RollingUpgrade => "name the versions with `Proof::upgrade`",
            Self::ReplaceLeader => "the topology needs a server in reserve",
            _ if self.is_of_links() => "the topology needs `links`",
            _ => "its servers do not offer it",
        }
    }

    /// Whether it is what one does to a system in use, which takes its time.
    pub(crate) fn is_operation(self) -> bool {
        matches!(
            self,
            Self::RollingRestart | Self::ReplaceLeader | Self::RollingUpgrade
        )
    }

    /// Whether it is done to what servers send each other.
    pub(crate) fn is_of_links(self) -> bool {
        matches!(
            self,
            Self::CutOffLeader | Self::CutFollowerThenKillLeaders | Self::DelayLeader
        )
    }

    /// Whether it can happen to a system with so many servers that clients talk through.
    pub(crate) fn can_happen(self, fronts: usize) -> bool {
        self != Self::PauseLeaderAndFront || fronts > 1
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillLeader => "kill the leader",
            Self::PauseLeader => "pause the leader",
            Self::PauseLeaderAndFront => "pause the leader and a front",
            Self::KillLeaderAndFollower => "kill leader and follower",
            Self::KillFollowerThenLeader => "kill a follower, then the leader",
            Self::KillFollowerSoonLeader => "kill a follower, soon the leader",
            Self::PauseFollowerThenKillLeader => "pause a follower, then kill the leader",
            Self::KillFollower => "kill a follower",
            Self::CutOffLeader => "cut off the leader",
            Self::CutFollowerThenKillLeaders => "cut the link to a follower, then kill two leaders",
            Self::DelayLeader => "delay what the leader sends and gets",
            Self::RollingRestart => "restart one after the other",
            Self::RollingUpgrade => "upgrade one after the other",
            Self::ReplaceLeader => "add a server and remove the leader",
        })
    }
}
