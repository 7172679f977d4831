//! Starts the agent of a process: once, whoever asks first.

use thiserror::Error;

use crate::agent::{Agent, Log};
use crate::frocksdb::pin_own_library;
use crate::settings::Settings;
use crate::{collector, exporter};

/// Why there is no agent. The host process runs on without one.
#[derive(Debug, Error)]
pub enum NotStarted {
    /// Hooks would be left pointing into memory that is no more.
    #[error("the native library cannot be kept in the process")]
    NotPinned,
    /// No thread, or no socket.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Starts the agent of this process, or finds it running, with the settings and log it was started with; the base URL of its HTTP
/// server, empty if no port was free.
pub fn start(settings: Settings, log: Log) -> Result<String, NotStarted> {
    if !pin_own_library() {
        return Err(NotStarted::NotPinned);
    }
    let (agent, is_new) = Agent::global(|| Agent::new(settings, log));
    if is_new {
        collector::start(agent.clone())?;
        let url = match exporter::bind(agent) {
            Some(listener) => {
                let port = listener.local_addr()?.port();
                let url = format!("http://{}:{port}", agent.settings.advertised_host());
                exporter::start(agent.clone(), listener, url.clone())?;
                url
            }
            None => String::new(),
        };
        agent.note_url(url);
    }
    Ok(agent.url())
}
