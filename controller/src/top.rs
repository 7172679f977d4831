//! `weir top`: the status of a controller, refreshed in place on a terminal, one text after the other elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, size};
use crossterm::{execute, queue};

use crate::Failure;
use crate::agent_client::innermost;
use crate::status::Status;
use crate::table;

/// What to show, and how often.
#[derive(Debug, Clone)]
pub struct TopOptions {
    /// Base URL of the controller.
    pub controller: String,
    /// Time from one look to the next.
    pub interval: Duration,
    /// One look only.
    pub once: bool,
    /// The status as JSON, a line each.
    pub json: bool,
}

/// Shows the status until `stop` resolves.
pub async fn top(options: &TopOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy();
    let http = http.build().context("HTTP client")?;
    if options.once {
        let status = fetch(&http, &options.controller).await?;
        return print(&text_of(&status, options.json)?);
    }
    let in_place = io::stdout().is_terminal() && !options.json;
    let _screen = if in_place {
        Some(Screen::enter()?)
    } else {
        None
    };
    let mut ticks = tokio::time::interval(options.interval);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            _ = ticks.tick() => {}
        }
        let text = match fetch(&http, &options.controller).await {
            Ok(status) => text_of(&status, options.json)?,
            // A controller that is being restarted comes back; nothing to look at is no reason to end.
            Err(error) if options.json => {
                tracing::warn!("{error:#}");
                continue;
            }
            Err(error) => format!("{error:#}\n"),
        };
        if in_place {
            Screen::show(&text)?;
        } else {
            print(&text)?;
        }
    }
}

async fn fetch(http: &reqwest::Client, controller: &str) -> anyhow::Result<Status> {
    let answer = http.get(format!("{controller}/v1/status")).send().await;
    let answer = answer.map_err(|e| {
        let cause = innermost(&e);
        anyhow!("cannot reach the controller at {controller}: {cause}; start it with `weir run`, or name it with --controller")
    })?;
    let what = || format!("{controller} does not answer like a controller of this release");
    let answer = answer.error_for_status().with_context(what)?;
    answer.json().await.with_context(what)
}

fn text_of(status: &Status, json: bool) -> Result<String, Failure> {
    if !json {
        return Ok(table::status(status));
    }
    let text = serde_json::to_string(status).context("status")?;
    Ok(text + "\n")
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write").map_err(Failure::Failed),
    }
}

/// The terminal's second screen; the first one comes back when this is dropped.
struct Screen;

// === impl Screen ===

impl Screen {
    fn enter() -> anyhow::Result<Self> {
        execute!(io::stdout(), EnterAlternateScreen, Hide).context("terminal")?;
        Ok(Self)
    }

    /// Writes as many lines as fit, each cut at the right edge, over what was there before: no flicker.
    fn show(text: &str) -> anyhow::Result<()> {
        // Some terminals do not know their size and say zero.
        let known = size()
            .ok()
            .filter(|(columns, rows)| *columns > 0 && *rows > 0);
        let (columns, rows) = known.unwrap_or((160, 50));
        let mut out = io::stdout().lock();
        for (row, line) in (0..rows).zip(text.lines()) {
            let cut: String = line.chars().take(usize::from(columns)).collect();
            queue!(out, MoveTo(0, row), Clear(ClearType::CurrentLine))?;
            write!(out, "{cut}")?;
        }
        let used = u16::try_from(text.lines().count()).unwrap_or(rows);
        if used < rows {
            queue!(out, MoveTo(0, used), Clear(ClearType::FromCursorDown))?;
        }
        out.flush().context("terminal")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that does not listen any more.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
    }
}
