//! HTTP: listening, the order of checks, finding the handler.

mod answer;
mod client;
mod gate;
mod listen;
pub(crate) mod percent;
mod request;
mod router;

pub(crate) use answer::Answer;
pub(crate) use client::{Client, ClientError, Reply};
pub(crate) use listen::{Listeners, bind};
pub(crate) use request::Request;
