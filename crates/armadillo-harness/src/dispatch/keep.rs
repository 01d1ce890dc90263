//! `--keep-on-failure`: deployments on which a test failed stay up until a person has looked at them.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use super::interrupts::Interrupts;
use super::journal::Journal;
use crate::client::DaemonClient;
use crate::options::Options;
use crate::protocol::daemon::Kept;
use crate::protocol::endpoints;

/// How long the daemon may take to say what is kept.
const LIMIT: Duration = Duration::from_secs(10);

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
    let kept = match daemon.ask::<endpoints::Kept>(&[], &(), None, LIMIT).await {
        Ok(kept) => kept,
        Err(error) => {
            return journal.warn(format!(
                "cannot find out which deployments are kept: {error}"
            ));
        }
    };
    if kept.is_empty() {
        return;
    }
    if !std::io::stdin().is_terminal() {
        let text = "\n--keep-on-failure: stdin is not a terminal, so the deployments are stopped now; their \
                    data is kept\n";
        return journal.printer().last_note(text.to_owned());
    }
    let text: String = kept.iter().map(describe).collect();
    let text =
        format!("\n{text}\nPress Enter or Ctrl-C to stop the deployments and end the run.\n");
    journal.printer().last_note(text);
    wait(interrupts).await;
}

/// A deployment and how to reach its servers.
fn describe(kept: &Kept) -> String {
    let mut text = format!(
        "Kept after a failed test: {} ({})\n",
        kept.deployment, kept.topology
    );
    for server in &kept.servers {
        let ports = server.reach.iter().map(|(port, at)| format!("{port} {at}"));
        let ports: Vec<String> = ports.collect();
        let (key, phase) = (&server.server, &server.phase);
        let _ = writeln!(text, "  {key} is {phase}: {}", ports.join(", "));
        for line in &server.lines {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "    # data and log: {}", server.directory.display());
    }
    if let Some(problem) = &kept.problem {
        let _ = writeln!(text, "  these commands may not work: {problem}");
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
