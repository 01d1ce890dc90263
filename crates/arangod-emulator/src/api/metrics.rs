//! `/_admin/metrics` and `/_admin/metrics/v2`: few figures, all of them true.

use std::fmt::Write;

use hyper::Method;

use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::role::Role;
use crate::server::Server;
use crate::store::Store;
use crate::system;

/// The figures in the text format of Prometheus.
pub(crate) fn metrics(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    if !server.settings.metrics {
        return Err(ApiError::unknown_path(&request.path));
    }
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    if server.settings.harden {
        server.require_privilege(&request.identity)?;
    }
    let mut text = Text {
        role: server.settings.role.name(),
        text: String::new(),
    };
    let (errors, warnings) = server.log.troubles();
    text.add(
        "arangodb_logger_errors_total",
        "counter",
        "Number of errors logged.",
        errors as f64,
    );
    text.add(
        "arangodb_logger_warnings_total",
        "counter",
        "Number of warnings logged.",
        warnings as f64,
    );
    text.add(
        "arangodb_http_request_statistics_total_requests_total",
        "counter",
        "Total number of HTTP requests",
        server.answered.get() as f64,
    );
    text.add(
        "arangodb_client_connection_statistics_client_connections",
        "gauge",
        "The number of client connections that are currently open",
        server.connections.get() as f64,
    );
    if server.settings.write_metrics
        && matches!(server.settings.role, Role::Single | Role::DbServer)
    {
        // None before the data are there.
        let written = server.peek(|store| store.map(Store::written_documents));
        let written = written.unwrap_or_default();
        text.add(
            "arangodb_document_writes_total",
            "counter",
            "Total number of document write operations (excl. synchronous replication)",
            written.by_clients as f64,
        );
        text.add(
            "arangodb_document_writes_replication_total",
            "counter",
            "Total number of document write operations by synchronous replication",
            written.by_leaders as f64,
        );
    }
    if let Some(usage) = system::usage() {
        usage_of(&mut text, usage);
    }
    text.add(
        "arangodb_server_statistics_physical_memory",
        "gauge",
        "Physical memory in bytes",
        system::physical_memory() as f64,
    );
    text.add(
        "arangodb_server_statistics_cpu_cores",
        "gauge",
        "Number of CPU cores visible to the arangod process",
        system::cores() as f64,
    );
    text.add(
        "arangodb_server_statistics_server_uptime_total",
        "counter",
        "Number of seconds elapsed since server start",
        server.started.elapsed().as_secs_f64(),
    );
    Ok(Answer::text(200, text.text))
}

fn usage_of(text: &mut Text, usage: system::Usage) {
    let figures = [
        (
            "minor_page_faults_total",
            "counter",
            "The number of minor faults the process has made",
            usage.minor_faults as f64,
        ),
        (
            "major_page_faults_total",
            "counter",
            "The number of major faults the process has made",
            usage.major_faults as f64,
        ),
        (
            "user_time",
            "gauge",
            "Amount of time in user mode, measured in seconds",
            usage.user_seconds,
        ),
        (
            "system_time",
            "gauge",
            "Amount of time in kernel mode, measured in seconds",
            usage.system_seconds,
        ),
        (
            "number_of_threads",
            "gauge",
            "Number of threads in the process",
            usage.threads as f64,
        ),
        (
            "resident_set_size",
            "gauge",
            "The resident memory in bytes",
            usage.resident_bytes as f64,
        ),
        (
            "virtual_memory_size",
            "gauge",
            "The virtual memory in bytes",
            usage.virtual_bytes as f64,
        ),
    ];
    for (name, kind, help, value) in figures {
        text.add(
            &format!("arangodb_process_statistics_{name}"),
            kind,
            help,
            value,
        );
    }
}

struct Text {
    role: &'static str,
    text: String,
}

impl Text {
    fn add(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        // Writing into a string cannot fail.
        let _ = write!(
            self.text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{role=\"{}\"}} {value}\n",
            self.role
        );
    }
}
