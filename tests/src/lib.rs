//! A real Flink cluster, controller and Prometheus for tests and the demo.
//!
//! | module | what it starts or talks to |
//! |---|---|
//! | [`artefacts`] | finds what the build made: the JARs, the `weir` binary, a Flink distribution |
//! | [`state_dir`] | one temporary folder per run, removed on every way out |
//! | [`process`] | child processes that cannot outlive the harness |
//! | [`flink_home`], [`cluster`], [`flink_rest`] | a standalone Flink of our own, and its REST API |
//! | [`nexmark`], [`live_job`] | the job under test; a cluster that runs it and is watched |
//! | [`stepping_job`] | a job that needs a second instance after a while |
//! | [`agent`], [`window`] | the agent's HTTP interface, and exact rates between two of its reports |
//! | [`controller`], [`prometheus`] | `weir run` and a Prometheus server |
//! | [`browser`] | a page as a real browser renders it |
//! | [`predictions`] | what a controller had promised, beside what is measured |
//! | [`dashboards`] | the queries of Grafana's dashboards |
//! | [`wait`], [`ports`] | polling with a deadline; free ports on loopback |
#![forbid(unsafe_code)]

pub mod agent;
pub mod artefacts;
pub mod browser;
pub mod cluster;
pub mod controller;
pub mod dashboards;
pub mod flink_home;
pub mod flink_rest;
pub mod live_job;
pub mod nexmark;
pub mod ports;
pub mod predictions;
pub mod process;
pub mod prometheus;
pub mod ssh_hosts;
pub mod state_dir;
pub mod stepping_job;
pub mod wait;
pub mod window;
pub mod workflows;

pub use agent::Agent;
pub use browser::RenderedPage;
pub use cluster::{Cluster, ClusterOptions};
pub use controller::Controller;
pub use flink_rest::FlinkRest;
pub use live_job::LiveJob;
pub use nexmark::NexmarkJob;
pub use prometheus::Prometheus;
pub use window::{CacheWindow, ReportWindow};
