//! An agent that is replaced by an empty one under the same id.
//!
//! The set of agents is fixed at the first start of the agency. An agent that is told the id of a lost one
//! (`--agency.disaster-recovery-id`, as the Kubernetes operator does) takes its place: the leader notices that its log is empty
//! (`Agent::reportFailed`), and sends it everything. Until then its vote must not be needed: what only the lost one and another have
//! would be lost with a third.

use armadillo_orchestrator::membership::LaunchWords;
use armadillo_orchestrator::{ServerKey, SystemStep, Tried, View};

use super::LIMIT;
use crate::agency::{Agency, AgentConfig};
use crate::launch::{PORT, RECOVERY_ID};

/// Gate: without the agent, the others follow one leader, and have committed everything that it has.
const COMPLETE: &str = "complete-without";
/// Gate: the agent follows the leader, and has committed everything that it has.
const CAUGHT_UP: &str = "caught-up";

/// Something that is always there, and little.
const SOMETHING: &str = "/arango/Plan/Version";

pub(crate) fn complete_without(agent: &ServerKey) -> SystemStep {
    SystemStep::with(COMPLETE, agent.as_str())
}

pub(crate) fn caught_up() -> SystemStep {
    SystemStep::new(CAUGHT_UP)
}

/// One try; `None` if it is no step of this kind.
pub(super) async fn try_step(
    view: &View,
    server: Option<&ServerKey>,
    step: &SystemStep,
) -> Option<Tried> {
    let agency = Agency::new(view).with_limit(LIMIT);
    let tried = match (step.name.as_str(), server) {
        (COMPLETE, _) => complete(&agency, &step.argument.as_str().into()).await,
        (CAUGHT_UP, Some(agent)) => has_caught_up(&agency, agent).await,
        _ => return None,
    };
    Some(match tried {
        Ok(seen) => Tried::Done(seen),
        Err(why) => Tried::NotYet(why),
    })
}

/// The leader with what it says. It has committed everything that was acknowledged before this was called.
async fn leader(agency: &Agency) -> Result<(ServerKey, AgentConfig), String> {
    // A new leader answers when it knows what is committed.
    let read = agency.read(&[SOMETHING]).await;
    read.map_err(|error| error.to_string())?;
    let leader = agency.leader().await.map_err(|error| error.to_string())?;
    let config = agency.config(&leader.server).await;
    let config = config.map_err(|error| error.to_string())?;
    match config.leads() {
        true => Ok((leader.server, config)),
        false => Err(format!("{} does not lead any more", leader.server)),
    }
}

async fn complete(agency: &Agency, without: &ServerKey) -> Result<String, String> {
    let (leads, said) = leader(agency).await?;
    if leads == *without {
        return Err(format!("{without} still leads"));
    }
    let agents = agency.endpoints().into_iter().map(|(agent, _)| agent);
    for agent in agents.filter(|agent| agent != without && *agent != leads) {
        agrees(agency, &agent, &said).await?;
    }
    Ok(format!("{leads} leads"))
}

async fn has_caught_up(agency: &Agency, agent: &ServerKey) -> Result<String, String> {
    let (leads, said) = leader(agency).await?;
    if leads != *agent {
        agrees(agency, agent, &said).await?;
    }
    Ok(format!("{} entries", said.commit_index))
}

/// Whether an agent follows this leader, and has committed what that had when it was asked.
async fn agrees(agency: &Agency, agent: &ServerKey, leader: &AgentConfig) -> Result<(), String> {
    let config = agency.config(agent).await;
    let config = config.map_err(|error| error.to_string())?;
    if config.leader() != Some(leader.id()) || config.term != leader.term {
        return Err(format!("{agent} does not follow the leader"));
    }
    if config.commit_index < leader.commit_index {
        let (has, all) = (config.commit_index, leader.commit_index);
        return Err(format!("{agent} has {has} of {all} entries"));
    }
    Ok(())
}

/// The id of an agent, as the others know it.
pub(crate) async fn joining(view: &View, agent: &ServerKey) -> Result<Option<LaunchWords>, String> {
    let place = view.places.get(agent);
    let address = place.and_then(|place| place.advertise.get(PORT));
    let agency = Agency::new(view).with_limit(LIMIT);
    let (_, said) = leader(&agency).await?;
    let mut pool = said.pool().iter();
    let own = pool.find(|(_, endpoint)| {
        let reached = endpoint.split_once("://").map(|(_, address)| address);
        reached == address.map(String::as_str)
    });
    let (id, _) = own.ok_or("the agency does not know it")?;
    Ok(Some([(RECOVERY_ID.to_owned(), id.clone())].into()))
}
