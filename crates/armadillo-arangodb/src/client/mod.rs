//! A small client: databases, users, collections and documents; [`ArangoClient::request`] for anything else.
//!
//! It talks to the servers directly, holds no background tasks, and shows no secret in `Debug` or in an error.

mod batch;
mod collection;
mod collection_builder;
mod connection;
mod core;
mod database;
mod document;
mod error;
mod error_names;
mod path;
mod placement;
#[cfg(test)]
pub(crate) mod tests;
mod user;

pub use batch::Refusal;
pub use collection::Collection;
pub use collection_builder::CreateCollection;
pub use connection::Connection;
pub(crate) use core::SYSTEM_DATABASE;
pub use core::{ArangoClient, Version};
pub use database::Database;
pub use document::{DocumentMeta, WriteDocument};
pub use error::ArangoError;
pub(crate) use error::label;
pub use error_names::error_name;
pub use placement::ShardError;
pub use user::{Grant, User};
