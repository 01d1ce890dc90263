//! The handlers, a file for each API.

pub(crate) mod admin;
pub(crate) mod agency;
mod agency_config;
pub(crate) mod async_job;
mod batch;
pub(crate) mod cluster;
pub(crate) mod collection;
pub(crate) mod database;
pub(crate) mod database_options;
pub(crate) mod document;
mod health;
pub(crate) mod import;
pub(crate) mod index;
mod jobs;
pub(crate) mod listing;
pub(crate) mod log;
pub(crate) mod login;
mod maintenance;
pub(crate) mod metrics;
pub(crate) mod refused;
mod removal;
pub(crate) mod sharded;
pub(crate) mod transaction;
pub(crate) mod user;
pub(crate) mod version;
