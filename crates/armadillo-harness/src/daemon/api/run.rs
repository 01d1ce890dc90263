//! Requests about the run: its state, clients, workers and events.

use std::rc::Rc;

use hyper::StatusCode;

use super::super::{Daemon, clients, doctor, drive, lifecycle};
use super::{Answer, Call, Refusal, done, refuse, say};
use crate::protocol::endpoints::{self, Route};

/// Requests about the run as a whole, its clients and its workers.
pub(super) async fn answer(daemon: &Rc<Daemon>, call: &Call<'_>) -> Answer {
    match call.route {
        Route::Status => say::<endpoints::Status>(&clients::status(daemon)),
        Route::Kept => say::<endpoints::Kept>(&clients::kept(daemon)),
        Route::FollowEvents => {
            let events = daemon.log.follow(call.number("number")?, true).await;
            say::<endpoints::FollowEvents>(&events)
        }
        Route::ReadEvents => {
            let events = daemon.log.follow(call.number("number")?, false).await;
            say::<endpoints::ReadEvents>(&events)
        }
        Route::TakeEvents => {
            let events = call.read::<endpoints::TakeEvents>()?;
            let taken = daemon.log.take(call.number("number")?, &events);
            taken.map_err(|error| Refusal(StatusCode::CONFLICT, error.to_string()))?;
            done::<endpoints::TakeEvents>()
        }
        Route::Join => {
            let joined = clients::join(daemon, &call.read::<endpoints::Join>()?, call.process);
            say::<endpoints::Join>(&joined)
        }
        Route::StartWorker => {
            let started = daemon
                .workers
                .start(&call.read::<endpoints::StartWorker>()?);
            let started = started.map_err(refuse(StatusCode::INTERNAL_SERVER_ERROR))?;
            say::<endpoints::StartWorker>(&started)
        }
        Route::EndWorker => {
            let pid = call.places.get("pid");
            let pid = pid
                .parse()
                .map_err(|_| Refusal(StatusCode::NOT_FOUND, format!("`{pid}` is no pid")))?;
            let orders = call.read::<endpoints::EndWorker>()?;
            let exit = daemon.workers.end(pid, &orders).await;
            say::<endpoints::EndWorker>(&exit.map_err(refuse(StatusCode::NOT_FOUND))?)
        }
        Route::TryOut => {
            let tried = doctor::try_out(daemon, &call.read::<endpoints::TryOut>()?).await;
            say::<endpoints::TryOut>(&tried.map_err(refuse(StatusCode::NOT_FOUND))?)
        }
        Route::StopTryingOut => {
            doctor::stop(daemon).await;
            done::<endpoints::StopTryingOut>()
        }
        Route::End => {
            daemon.told_to_end.set(true);
            daemon.changed.notify_waiters();
            done::<endpoints::End>()
        }
        Route::Stop => {
            lifecycle::stop_all(daemon).await;
            done::<endpoints::Stop>()
        }
        _ => of_a_client(daemon, call).await,
    }
}

/// What a client that has joined says and asks.
async fn of_a_client(daemon: &Rc<Daemon>, call: &Call<'_>) -> Answer {
    let client = clients::known(daemon, call.number("client")? as u64)
        .map_err(refuse(StatusCode::NOT_FOUND))?;
    match call.route {
        Route::Wish => {
            let wished = clients::wish(daemon, client, call.read::<endpoints::Wish>()?);
            wished.map_err(refuse(StatusCode::BAD_REQUEST))?;
            done::<endpoints::Wish>()
        }
        Route::Next => {
            let ready = call.read::<endpoints::Next>()?;
            say::<endpoints::Next>(&clients::next(daemon, client, &ready).await)
        }
        Route::Free => {
            clients::free(daemon, client, &call.read::<endpoints::Free>()?);
            done::<endpoints::Free>()
        }
        Route::FreeSlot => {
            drive::free_slot(daemon, client);
            done::<endpoints::FreeSlot>()
        }
        Route::DropPoll => {
            clients::drop_poll(daemon, client, &call.read::<endpoints::DropPoll>()?);
            done::<endpoints::DropPoll>()
        }
        Route::Withdraw => {
            clients::withdraw(daemon, client);
            done::<endpoints::Withdraw>()
        }
        Route::FixturesGone => {
            clients::fixtures_gone(daemon, client, &call.read::<endpoints::FixturesGone>()?);
            done::<endpoints::FixturesGone>()
        }
        Route::Leave => {
            clients::leave(daemon, client);
            done::<endpoints::Leave>()
        }
        _ => call.unanswered(),
    }
}
