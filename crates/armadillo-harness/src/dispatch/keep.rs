//! `--keep-on-failure`: deployments on which a test failed stay up until a person has looked at them.

use std::fmt::Write;
use std::io::IsTerminal;

use super::interrupts::Interrupts;
use super::journal::Journal;
use crate::client::{DaemonClient, WITHOUT_LIMIT};
use crate::options::Options;
use crate::protocol::daemon::{DeploymentStatus, Status};

/// If there is something to look at and somebody to look, says where and waits for Enter or Ctrl-C.
pub(super) async fn until_told(
    options: &Options,
    daemon: &DaemonClient,
    journal: &Journal,
    interrupts: &mut Interrupts,
) {
    if !options.running.keep_on_failure {
        return;
    }
    let Ok(status) = daemon.get::<Status>("/v1/status", WITHOUT_LIMIT).await else {
        return;
    };
    let kept: Vec<(&String, &DeploymentStatus)> = status
        .deployments
        .iter()
        .filter(|(_, deployment)| deployment.failed_somebody)
        .collect();
    if kept.is_empty() {
        return;
    }
    if !std::io::stdin().is_terminal() {
        journal.note(
            "\n--keep-on-failure: nobody is at a terminal to end them, so the deployments stop; their data is kept\n"
                .to_owned(),
        );
        return;
    }
    journal.note(format!(
        "\n{}Press Enter, or Ctrl-C, to stop them.\n",
        describe(&kept)
    ));
    wait(interrupts).await;
}

fn describe(kept: &[(&String, &DeploymentStatus)]) -> String {
    let mut text = "These deployments failed a test and are still up:\n".to_owned();
    for (name, deployment) in kept {
        let _ = writeln!(text, "  {name}: {}", deployment.topology);
        for (server, ports) in &deployment.servers {
            let ports: Vec<String> = ports
                .iter()
                .map(|(port, address)| format!("{port} {address}"))
                .collect();
            let _ = writeln!(text, "    {server}: {}", ports.join(", "));
        }
    }
    text
}

/// Ends with a line on standard input, its end, or a signal.
async fn wait(interrupts: &mut Interrupts) {
    let (told, answer) = tokio::sync::oneshot::channel();
    // A blocking read cannot be given up: the thread ends with the process if a signal comes first.
    let reader = std::thread::Builder::new()
        .name("keep".into())
        .spawn(move || {
            let read = std::io::stdin().read_line(&mut String::new());
            // Nobody waits any more if a signal came first.
            let _ = told.send(read);
        });
    if reader.is_err() {
        return;
    }
    tokio::select! {
        _ = answer => {}
        _ = interrupts.next() => {}
    }
}
