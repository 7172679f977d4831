//! The two ways in which the program ends badly, with their exit codes.

use std::process::ExitCode;

/// Why the program ends.
#[derive(Debug)]
pub enum Failure {
    /// Bad usage or configuration: exit code 64 (`EX_USAGE` of sysexits.h).
    Usage(anyhow::Error),
    /// It could not do what was asked: exit code 1.
    Failed(anyhow::Error),
}

impl Failure {
    /// Exit code of bad usage or configuration.
    pub const USAGE: u8 = 64;

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(Self::USAGE),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Usage(error) | Self::Failed(error)) = self;
        write!(f, "{error:#}")
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
