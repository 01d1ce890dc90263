//! The figures of a server, from its metrics.

use std::time::Duration;

use armadillo_orchestrator::statistics::FigureSource;
use armadillo_orchestrator::{Figure, Metrics, Request, ServerKey, View};

use crate::auth;
use crate::launch::PORT;

/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Where the figures are (`GET /_admin/metrics/v2` of 3.12.10, as recorded; the writes: `RocksDBReadWriteMetrics.cpp`). The
/// documents written are there because servers that store data are started with `--server.export-read-write-metrics`.
pub(crate) const FIGURES: [FigureSource; 7] = [
    FigureSource::new(
        Figure::Requests,
        "arangodb_http_request_statistics_total_requests_total",
    ),
    FigureSource::new(Figure::Writes, "arangodb_document_writes_total"),
    FigureSource::new(
        Figure::Replicated,
        "arangodb_document_writes_replication_total",
    ),
    FigureSource::new(
        Figure::Connections,
        "arangodb_client_connection_statistics_client_connections",
    ),
    FigureSource::new(Figure::Queue, "arangodb_scheduler_queue_length"),
    FigureSource::new(
        Figure::Memory,
        "arangodb_process_statistics_resident_set_size",
    ),
    FigureSource::new(
        Figure::Threads,
        "arangodb_process_statistics_number_of_threads",
    ),
];

/// Where a server publishes its metrics. Versions up to 3.12 have the first, 4.0 has only the second.
const PATHS: [&str; 2] = ["/_admin/metrics/v2", "/_admin/metrics"];

/// What a server publishes.
pub(crate) async fn metrics(view: &View, server: &ServerKey) -> Result<Metrics, String> {
    let address = view
        .reach(server, PORT)
        .ok_or_else(|| format!("{server} has no address"))?;
    let client = view.client_at(address);
    let mut status = 0;
    for path in PATHS {
        let request = match auth::of_superuser(view) {
            Some(shown) => Request::get(path).header("authorization", shown.reveal()),
            None => Request::get(path),
        };
        let response = client.send(request, LIMIT).await;
        let response = response.map_err(|error| error.to_string())?;
        if response.is_success() {
            let metrics = Metrics::parse(&String::from_utf8_lossy(&response.body));
            return metrics.map_err(|error| error.to_string());
        }
        status = response.status;
        if status != 404 {
            break;
        }
    }
    Err(format!("it responds with HTTP {status}"))
}
