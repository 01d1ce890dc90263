//! The programs of a run: each system's own, and those that topologies name for roles.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::applet::applet;
use crate::program::Program;
use crate::topology::Topology;

/// Programs that were found, by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Programs(BTreeMap<String, OfSystem>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct OfSystem {
    own: Option<Program>,
    named: BTreeMap<String, Program>,
}

impl Programs {
    /// Adds the program that servers of `system` run; `named`: those for which a topology names it so.
    pub fn add(&mut self, system: &str, named: Option<&str>, program: Program) {
        let known = self.0.entry(system.to_owned()).or_default();
        match named {
            Some(name) => {
                known.named.insert(name.to_owned(), program);
            }
            None => known.own = Some(program),
        }
    }

    /// What the servers of a role run in a deployment of this topology.
    #[must_use]
    pub fn get(&self, topology: &Topology, role: &str) -> Option<&Program> {
        let known = self.0.get(&topology.system)?;
        match topology.binary(role) {
            Some(name) => known.named.get(name),
            None => known.own.as_ref(),
        }
    }

    /// The same for another process: what is built into this executable is named by its file.
    ///
    /// # Errors
    /// When the operating system does not say which file this executable is.
    pub fn for_others(&self) -> std::io::Result<Self> {
        let own = std::env::current_exe()?;
        let mut all = self.clone();
        let programs = all.0.values_mut();
        for program in programs.flat_map(|of| of.own.iter_mut().chain(of.named.values_mut())) {
            if program.is_built_in() {
                program.path.clone_from(&own);
            }
        }
        Ok(all)
    }

    /// The builds of the applets among them, as far as they know these.
    #[must_use]
    pub fn builds(&self) -> BTreeMap<String, String> {
        let applets = self.iter().filter_map(|(_, _, program)| program.applet());
        let build = |name: &str| Some((name.to_owned(), build_of(name)?));
        applets.filter_map(build).collect()
    }

    /// The same in this process, if [`Self::for_others`] and [`Self::builds`] come from another: what this executable has in the same
    /// build is its own.
    #[must_use]
    pub fn at_home(mut self, builds: &BTreeMap<String, String>) -> Self {
        let programs = self.0.values_mut();
        for program in programs.flat_map(|of| of.own.iter_mut().chain(of.named.values_mut())) {
            let is_here = program.applet().is_some_and(|name| {
                let build = builds.get(name);
                build.is_some() && build_of(name).as_ref() == build
            });
            if is_here {
                program.build_in();
            }
        }
        self
    }

    /// The files of all of them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.iter().map(|(_, _, program)| program.path.as_path())
    }

    /// Those of one system alone.
    #[must_use]
    pub fn of(&self, system: &str) -> Self {
        let known = self.0.get_key_value(system).into_iter();
        Self(known.map(|(name, of)| (name.clone(), of.clone())).collect())
    }

    /// All of them: the system's name, the name in topologies that name it, the program.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>, &Program)> {
        self.0.iter().flat_map(|(system, known)| {
            let own = known
                .own
                .iter()
                .map(move |own| (system.as_str(), None, own));
            let named = known
                .named
                .iter()
                .map(move |(name, program)| (system.as_str(), Some(name.as_str()), program));
            own.chain(named)
        })
    }
}

/// The build of an applet of this executable.
fn build_of(name: &str) -> Option<String> {
    Some(applet(name)?.build?())
}
