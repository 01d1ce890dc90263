//! `/_api/version` and `/_api/engine`.

use hyper::Method;
use serde_json::json;

use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;
use crate::version::{ENGINE, details, imitated};

/// `/_api/version`, by any verb. `--server.harden` hides the version from all but administrators.
pub(crate) fn version(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let mut body = json!({
        "server": "arango",
        "license": server.settings.edition,
    });
    if imitated().tells_api_versions() {
        body["apiVersions"] = json!(["v0"]);
        body["deprecatedApiVersions"] = json!([]);
        body["requestedApiVersion"] = json!("v0");
    }
    if !server.settings.harden || server.is_admin(&request.identity)? {
        body["version"] = json!(imitated().text);
        if request.query_flag("details") == Some(true) {
            body["details"] = details(
                server.settings.role,
                &server.settings.edition,
                server.settings.failure_tests,
            );
        }
    }
    Ok(Answer::json(200, &body))
}

/// `GET /_api/engine`. Of the indexes arangod supports, the emulator has the primary one.
pub(crate) fn engine(request: &Request) -> Result<Answer, ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let endianness = if cfg!(target_endian = "big") {
        "big"
    } else {
        "little"
    };
    Ok(Answer::json(
        200,
        &json!({
            "name": ENGINE,
            "supports": { "indexes": ["primary"], "aliases": { "indexes": {} } },
            "endianness": endianness,
        }),
    ))
}
