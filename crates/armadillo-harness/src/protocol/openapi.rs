//! The description of the daemon's API in OpenAPI 3.1, made from the requests and their types.

use std::any::TypeId;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::VERSION;
use super::daemon::Problem;
use super::endpoints::{Access, Route};

/// The schema of a body, if there is one.
pub(super) fn of_body<T: JsonSchema + 'static>(generator: &mut SchemaGenerator) -> Option<Schema> {
    (TypeId::of::<T>() != TypeId::of::<()>()).then(|| generator.subschema_for::<T>())
}

/// The whole description.
#[must_use]
pub fn document() -> Value {
    // OpenAPI 3.1 has the JSON Schema of this draft.
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for route in Route::ALL {
        let item = paths.entry(route.template()).or_insert_with(|| json!({}));
        let method = route.method().name().to_lowercase();
        item[method] = operation(*route, &mut generator, &problem);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "The daemon of Armadillo",
            "version": VERSION.to_string(),
            "summary": "Leases on clusters, and what their holders may do.",
            "description": "HTTP/1.1 with JSON bodies over a Unix socket that only its owner can open.",
            "license": { "name": "Apache 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://daemon", "description": "The host's name does not matter: requests go to the socket." }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "lease": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of the lease. After the lease has ended, the answer is 410.",
                },
                "run": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token that the process of the run gave the daemon when it started it.",
                },
            },
        },
    })
}

fn operation(route: Route, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let (body, answer) = route.schemas(generator);
    let places: Vec<Value> = route.template().split('/').filter_map(parameter).collect();
    let security = match route.access() {
        Access::Owner => json!([]),
        Access::Run => json!([{ "run": [] }]),
        Access::Lease | Access::LeaseAlone => json!([{ "lease": [] }]),
    };
    let mut operation = json!({
        "operationId": route.name(),
        "summary": route.summary().trim(),
        "security": security,
        "responses": {
            "200": { "description": "It is done.", "content": { "application/json": { "schema": answer } } },
            "default": { "description": "Why it was refused.", "content": { "application/json": { "schema": problem } } },
        },
    });
    if route.access() == Access::LeaseAlone {
        operation["description"] =
            "Only the holder of a lease that is not shared may send it.".into();
    }
    if !places.is_empty() {
        operation["parameters"] = places.into();
    }
    if let Some(schema) = body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

/// A place of a path's template as a parameter.
fn parameter(part: &str) -> Option<Value> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    let schema = match name {
        "client" | "number" | "pid" => json!({ "type": "integer", "minimum": 0 }),
        _ => json!({ "type": "string" }),
    };
    Some(json!({ "name": name, "in": "path", "required": true, "schema": schema }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Results;

    /// `ARMADILLO_WRITE_DOCS=1` writes it.
    fn the_manual_has(file: &str, content: &Value) {
        let path = format!("{}/../../docs/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = format!("{content:#}\n");
        if std::env::var_os("ARMADILLO_WRITE_DOCS").is_some() {
            std::fs::write(path, text).unwrap();
            return;
        }
        assert!(
            std::fs::read_to_string(path).unwrap() == text,
            "docs/{file}: ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-harness openapi writes it"
        );
    }

    #[test]
    fn the_manual_has_the_description_of_this_api() {
        the_manual_has("daemon-api.json", &document());
    }

    #[test]
    fn the_manual_has_the_schema_of_the_results() {
        let schema = schemars::schema_for!(Results);
        the_manual_has("results.schema.json", schema.as_value());
    }
}
