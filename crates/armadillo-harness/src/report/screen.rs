//! Where reports go: stdout, stderr, the log file, and what the terminal can do.

use std::io::{self, IsTerminal, Write};

use crate::options::{Color, Showing};

/// The streams of a run.
pub struct Screen {
    /// libtest's format and nothing else.
    pub stdout: Box<dyn Write + Send>,
    /// Header, progress, warnings, summary.
    pub stderr: Box<dyn Write + Send>,
    /// `--logfile`.
    pub logfile: Option<Box<dyn Write + Send>>,
    /// Whether stdout takes colours.
    pub stdout_color: bool,
    /// Whether stderr takes colours.
    pub stderr_color: bool,
    /// The live display, where there can be one.
    pub live: Option<Live>,
}

/// What the live display needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// The size of the terminal now, in columns and lines.
    pub size: fn() -> (usize, usize),
    /// Whether stdout is the same terminal, so that the display has to make room for it.
    pub shares_stdout: bool,
}

impl Screen {
    /// That of this process.
    ///
    /// # Errors
    /// When the log file cannot be made.
    pub fn of_process(showing: &Showing) -> io::Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let stdout_terminal = io::stdout().is_terminal();
        let stderr_terminal = io::stderr().is_terminal();
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        let colored = |terminal: bool| match showing.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !dumb && variable("NO_COLOR").is_none(),
        };
        let logfile = match &showing.logfile {
            Some(path) => {
                let file = std::fs::File::create(path)?;
                Some(Box::new(io::BufWriter::new(file)) as Box<dyn Write + Send>)
            }
            None => None,
        };
        let live = stderr_terminal && !dumb && variable("CI").is_none() && !showing.no_capture;
        Ok(Self {
            stdout: Box::new(io::BufWriter::new(io::stdout())),
            stderr: Box::new(io::stderr()),
            logfile,
            stdout_color: colored(stdout_terminal),
            stderr_color: colored(stderr_terminal),
            live: live.then_some(Live {
                size: terminal_size,
                shares_stdout: stdout_terminal,
            }),
        })
    }
}

impl Screen {
    /// The same without a live display: everything has happened already.
    #[must_use]
    pub fn without_display(self) -> Self {
        Self { live: None, ..self }
    }

    /// The same without stdout: somebody else writes that.
    #[must_use]
    pub fn without_stdout(self) -> Self {
        Self {
            stdout: Box::new(io::sink()),
            ..self
        }
    }
}

/// The size of the terminal at stderr now, in columns and lines; 80 and 24 if it is none.
#[must_use]
pub fn terminal_size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}
