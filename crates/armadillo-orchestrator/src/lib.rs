//! Starts, watches, judges and ends the servers of a deployment; knows no product.

pub mod applet;
pub mod attach;
pub mod backend;
pub mod candidate;
pub mod closest;
pub mod cores;
pub mod deadline;
pub mod deployment;
pub mod doctor;
pub mod duration;
mod elf;
pub mod health;
pub mod http;
pub mod join;
pub mod keys;
pub mod leadership;
pub mod links;
pub mod local;
pub mod membership;
pub mod notice;
pub mod operations;
pub mod poll;
pub mod ports;
pub mod process;
pub mod program;
pub mod programs;
pub mod quorum;
pub mod random;
pub mod recording;
pub mod registry;
pub mod run_dir;
pub mod sanitizers;
pub mod secret;
pub mod server;
pub mod settings;
pub mod statistics;
pub mod system;
pub mod tls;
pub mod topology;
pub mod versions;
pub mod view;

pub use applet::{APPLET_WORD, Applet, build_id};
pub use attach::{AttachError, Attached, Attachment, Credentials, Login};
pub use backend::{BackEnd, BackEndError, PlaceRequest, Running, Site};
pub use cores::{CorePolicy, PostMortem};
pub use deadline::Deadline;
pub use deployment::{
    Deployment, ExitExpectation, Operation, OperationError, StartError, StartRequest,
};
pub use health::{Health, State};
pub use http::{Client, HttpError, Request, Response};
#[doc(hidden)]
pub use inventory;
pub use keys::KeySteps;
pub use leadership::{LeadershipEntry, LeadershipLog};
pub use links::{LinkError, LinkFault, LinkOrder, LinkReport, LinkUse};
pub use local::Local;
pub use membership::{Membership, MembershipChange, MembershipError};
pub use notice::Notice;
pub use operations::{
    OperationId, OperationPlan, OperationStatus, OperationTerms, Outcome, Step, StepKind,
    StepState, SystemStep, Tried, Undo,
};
pub use poll::Poll;
pub use process::{Exit, Process, Processes, Spawn};
pub use program::{Answers, Program, ProgramError};
pub use programs::Programs;
pub use quorum::{NoQuorum, QuorumChange, QuorumLost, Voters};
pub use registry::{SystemEntry, system, systems};
pub use run_dir::RunDir;
pub use sanitizers::{ReportMarks, Sanitizer, SanitizerFinding};
pub use secret::Secret;
pub use server::{Cost, Launch, Preparation, ServerKey, ServerPlan, Stage, Stop, Verb};
pub use settings::{Flag, Settings};
pub use statistics::{Figure, Metrics, Statistics};
pub use system::{
    Candidate, Checker, Evidence, ExitMeaning, Fut, Identity, Installed, Level, LogRecord,
    PlanError, Probe, Scope, System,
};
pub use tls::{Certificate, ClientCertificate, ClientTls, Tls, TlsUse};
pub use topology::{StaticTopology, Topology};
pub use view::{Place, Share, View};
