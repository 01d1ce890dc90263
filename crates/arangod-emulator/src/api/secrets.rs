//! `/_admin/server/jwt`: what a server tells of its secrets, and reading them again.

use hyper::Method;

use crate::auth::{Identity, SecretError};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;
use crate::version::ENTERPRISE;

/// Builds of the community's sources have neither (`RestAdminServerHandler.cpp` of arangodb/arangodb).
pub(crate) fn jwt(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if server.settings.edition != ENTERPRISE {
        return Err(ApiError::new(404, 404, "not found"));
    }
    match request.method {
        Method::GET => {}
        Method::POST if request.identity != Identity::Superuser => {
            return Err(ApiError::forbidden());
        }
        Method::POST => reload(server)?,
        _ => return Err(ApiError::method_not_allowed()),
    }
    Ok(Answer::result(200, server.secrets.digests()))
}

fn reload(server: &Server) -> Result<(), ApiError> {
    server.secrets.reload().map_err(|error| match error {
        // `TRI_ERROR_CANNOT_READ_FILE`
        SecretError::Unreadable { .. } => ApiError::new(500, 34, error.to_string()),
        error => ApiError::bad_parameter(error.to_string()),
    })?;
    server.secrets.say(&server.log);
    Ok(())
}
