//! HTTP: listening, the order of checks, finding the handler.

mod answer;
mod client;
mod encoding;
mod gate;
mod h2c;
mod listen;
mod paths;
pub(crate) mod percent;
mod request;
mod router;
mod velocypack;

pub(crate) use answer::Answer;
pub(crate) use client::{Client, ClientError, Reply};
pub(crate) use listen::{Listeners, bind};
pub(crate) use request::Request;
pub(crate) use router::dispatch;
