//! What it takes to run the tests of this run again as they run now.

use std::path::Path;

use crate::event::{Again, FileMark};
use crate::options::Options;
use crate::settings::{self, Linked};

/// The executable and the settings of this run; `None` if it runs a command, or nobody can say which program this is.
pub(super) fn of(options: &Options) -> Option<Again> {
    if options.command.is_some() {
        return None;
    }
    let executable = std::env::current_exe().ok()?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    Some(Again {
        file: FileMark::of(&executable),
        executable: text(&executable),
        working_directory: text(&std::env::current_dir().ok()?),
        package_directory: package.map(|path| text(path.as_ref())),
        flags: settings::again_from_anywhere(&options.said, &Linked::registered()),
    })
}
