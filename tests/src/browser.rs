//! A real browser without a window: what a page shows once its scripts have run.

use std::process::Command;

use anyhow::{Context, ensure};

/// A page after its scripts ran for five seconds of the browser's own time.
#[derive(Debug)]
pub struct RenderedPage {
    /// Its elements as markup.
    pub dom: String,
    /// What the browser said, its console included.
    pub console: String,
}

// === impl RenderedPage ===

impl RenderedPage {
    /// Opens an address and waits for the page's scripts.
    pub fn open(url: &str) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir().context("a folder for the browser's profile")?;
        let output = Command::new("chromium")
            // Tests may run as root, where Chromium has no sandbox of its own; the page is ours.
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--enable-logging=stderr"])
            .args(["--virtual-time-budget=5000", "--window-size=1200,1600"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--dump-dom", url])
            .output()
            .context("chromium does not start; `apt-get install chromium` brings it")?;
        let console = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.success(),
            "chromium could not open {url}: {console}"
        );
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Self { dom, console })
    }

    /// Panics unless the text is in the markup.
    #[track_caller]
    pub fn assert_shows(&self, text: &str) {
        let Self { dom, console } = self;
        assert!(
            dom.contains(text),
            "{text:?} is not on the page:\n{dom}\n{console}"
        );
    }

    /// Panics if a script failed, a file was not found or the content security policy was broken.
    #[track_caller]
    pub fn assert_no_complaint(&self) {
        for complaint in ["Uncaught", "Content Security Policy", "Failed to load"] {
            assert!(!self.console.contains(complaint), "{}", self.console);
        }
    }
}
