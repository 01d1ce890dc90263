//! Starts, watches, judges and ends the servers of a deployment; knows no product.

pub mod applet;
pub mod attach;
pub mod backend;
pub mod deadline;
pub mod deployment;
pub mod doctor;
pub mod duration;
pub mod health;
pub mod http;
pub mod join;
pub mod leadership;
pub mod local;
pub mod notice;
pub mod poll;
pub mod ports;
pub mod process;
pub mod program;
pub mod programs;
pub mod random;
pub mod run_dir;
pub mod secret;
pub mod server;
pub mod settings;
pub mod system;
pub mod topology;
pub mod view;

pub use applet::{APPLET_WORD, Applet};
pub use attach::{AttachError, Attached, Attachment, Login};
pub use backend::{BackEnd, BackEndError, PlaceRequest, Running, Site};
pub use deadline::Deadline;
pub use deployment::{
    Deployment, ExitExpectation, Operation, OperationError, StartError, StartRequest,
};
pub use health::{Health, State};
pub use http::{Client, HttpError, Request, Response};
#[doc(hidden)]
pub use inventory;
pub use leadership::{LeadershipEntry, LeadershipLog};
pub use local::Local;
pub use notice::Notice;
pub use poll::Poll;
pub use process::{Exit, Process, Processes, Spawn};
pub use program::{Program, ProgramError};
pub use programs::Programs;
pub use run_dir::RunDir;
pub use secret::Secret;
pub use server::{Cost, Launch, ServerKey, ServerPlan, Stage, Stop, Verb};
pub use settings::{Flag, Settings};
pub use system::{
    Candidate, Checker, Evidence, ExitMeaning, Fut, Identity, Installed, Level, LogRecord,
    PlanError, Probe, Scope, System, SystemEntry, system, systems,
};
pub use topology::{StaticTopology, Topology};
pub use view::{Place, Share, View};
