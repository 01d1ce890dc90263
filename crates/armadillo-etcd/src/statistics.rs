//! The figures of a member, from its metrics.

use std::time::Duration;

use armadillo_orchestrator::statistics::FigureSource;
use armadillo_orchestrator::{Figure, Metrics, Request, ServerKey, View};

/// How long the answer may take. A member of 3.4 sends about 150 kB.
const LIMIT: Duration = Duration::from_secs(2);

/// Where the figures are. etcd does not say how many connections clients have open, and each member counts every key that
/// the cluster has written, so neither figure is here: <https://etcd.io/docs/v3.5/metrics/>.
pub(crate) const FIGURES: [FigureSource; 5] = [
    // Requests over HTTP go through gRPC, too.
    FigureSource::new(Figure::Requests, "grpc_server_handled_total"),
    FigureSource::new(Figure::Replicated, "etcd_server_proposals_applied_total"),
    FigureSource::new(Figure::Queue, "etcd_server_proposals_pending"),
    FigureSource::new(Figure::Memory, "process_resident_memory_bytes"),
    FigureSource::new(Figure::Threads, "go_threads"),
];

/// What a member publishes. It asks for no login.
pub(crate) async fn metrics(view: &View, server: &ServerKey) -> Result<Metrics, String> {
    let address = view
        .reach(server, "client")
        .ok_or_else(|| format!("{server} has no client port"))?;
    let response = view
        .client_at(address)
        .send(Request::get("/metrics"), LIMIT)
        .await
        .map_err(|error| error.to_string())?;
    if !response.is_success() {
        return Err(format!("it responds with HTTP {}", response.status));
    }
    Metrics::parse(&String::from_utf8_lossy(&response.body)).map_err(|error| error.to_string())
}
