//! A small client: databases, users, collections and documents; of a real server AQL, indexes, edges, graphs, stream
//! transactions, imports, views and analyzers, too; [`ArangoClient::request`] for anything else.
//!
//! It talks to the servers directly, holds no background tasks, and shows no secret in `Debug` or in an error.

mod analyzer;
mod batch;
mod collection;
mod collection_builder;
mod connection;
mod core;
mod database;
mod document;
mod error;
mod error_names;
mod graph;
mod index;
mod load;
mod login;
pub(crate) mod path;
mod placement;
mod query;
mod retry;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod user;
mod view;

pub use analyzer::Analyzer;
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
pub use graph::{EdgeDefinition, Graph};
pub use index::{Direction, Imported, Index, NewIndex, OnDuplicate};
pub use login::LoginMethod;
pub use placement::ShardError;
pub use query::{AqlQuery, Cursor};
pub use stream::{Locks, StreamTransaction, TransactionState};
pub(crate) use user::Target;
pub use user::{Grant, User};
pub use view::{NewView, SearchView, ViewInfo};
