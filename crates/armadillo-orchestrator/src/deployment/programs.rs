//! Servers that are started otherwise from their next start on: a newer version, say, or another option.

use std::sync::atomic::Ordering;

use super::Deployment;
use super::operate::OperationError;
use crate::notice::Notice;
use crate::program::Program;
use crate::server::ServerKey;

impl Deployment {
    /// From its next start on, a server runs this program instead of the one it was planned with, and has these options of its
    /// command line in the place of those of the same name.
    ///
    /// # Errors
    /// When there is no such server, or the deployment has been ended.
    pub fn change_server(
        &self,
        server: &ServerKey,
        program: Option<Program>,
        options: &[(String, String)],
    ) -> Result<(), OperationError> {
        let target = self.target(server)?;
        if self.ended.load(Ordering::SeqCst) {
            return Err(OperationError::Ended {
                deployment: self.id().to_owned(),
            });
        }
        if let Some(program) = program {
            self.notices.send(Notice::ProgramChanged {
                server: server.clone(),
                program: program.path.display().to_string(),
                version: program.version.clone(),
            });
            target.use_program(program);
        }
        target.use_options(options);
        Ok(())
    }

    /// The servers that a test has given another program or other options. What they have stored may be of no use to the planned
    /// ones.
    pub fn changed_servers(&self) -> impl Iterator<Item = &ServerKey> {
        let servers = self.servers.iter();
        let others = servers.filter(|(_, server)| server.is_changed());
        others.map(|(key, _)| key)
    }
}
