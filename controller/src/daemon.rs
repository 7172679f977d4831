//! `weir run`: everything is checked, then the history opened, the port bound, and the loop started; SIGTERM and SIGINT end it
//! between two cycles, never within one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Failure;
use crate::clock::{millis_of, now_ms};
use crate::cycle::Cycle;
use crate::fleet::Fleet;
use crate::flink::FlinkClient;
use crate::history::{HistoryFile, Line};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::reporters::Reporters;
use crate::server::{Shared, router};
use crate::settings::{Act, Settings};
use crate::status::{Counters, Status};

/// Cycles that may be missing before `/healthz` complains.
const STUCK_AFTER_CYCLES: u32 = 10;

/// Time that open connections get at the end.
const GOODBYE: Duration = Duration::from_secs(2);

/// Runs the daemon until `stop` resolves.
pub async fn run(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let (history, memory) = open_history(&settings)?;
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; is another controller running there?",
            settings.listen
        )
    })?;
    let address = listener.local_addr().context("listener")?;
    let shared = Arc::new(shared(&settings)?);
    let acting = match act_names(&settings).join(" and ") {
        acts if acts.is_empty() => "advises only".to_owned(),
        acts => format!("may {acts}"),
    };
    let policy = &shared.status.lock().policy.clone();
    tracing::info!("controller listens on http://{address}, policy {policy}, {acting}");

    let (stopping, stopped) = watch::channel(false);
    let server = axum::serve(listener, router(shared.clone()));
    let server = server.with_graceful_shutdown(wait_for(stopped));
    let server = tokio::spawn(async move { server.await });

    let mut ticks = interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let started = Line::Started {
        at_ms: now_ms(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        policy: policy.clone(),
        act: act_names(&settings),
    };
    let mut cycle = Cycle::new(settings, shared, history, memory)?;
    cycle.record(&started);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            _ = ticks.tick() => cycle.run().await,
        }
    }
    tracing::info!("stopping; all sizes stay as they are");
    // The receiver is gone only if the server has ended by itself.
    let _ = stopping.send(true);
    // A client that never reads its answer must not keep the program alive.
    if let Ok(served) = timeout(GOODBYE, server).await {
        served
            .context("the HTTP server panicked")?
            .context("the HTTP server ended")?;
    }
    Ok(())
}

/// Resolves at SIGTERM or SIGINT.
pub async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            // The default disposition still ends the process.
            tracing::error!("cannot listen for signals: {error}");
            std::future::pending().await
        }
    }
}

fn open_history(settings: &Settings) -> anyhow::Result<(Option<HistoryFile>, Memory)> {
    match &settings.history {
        Some(path) => {
            let (file, memory) = HistoryFile::open(path, settings.history_max_bytes)?;
            Ok((Some(file), memory))
        }
        None => {
            if settings.may_resize() {
                tracing::warn!(
                    "no history file: after a restart of the controller no size will be restored; set `history`"
                );
            }
            Ok((None, Memory::default()))
        }
    }
}

fn shared(settings: &Settings) -> anyhow::Result<Shared> {
    let fleet = Fleet::new(&settings.agents, settings.windows, settings.drop_after);
    let reporters = settings.flink.as_ref().map(|url| {
        let flink = FlinkClient::new(url.clone(), settings.timeout)?;
        Reporters::new(flink, settings.timeout)
    });
    let reporters = reporters.transpose()?;
    let now = now_ms();
    let status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        policy: settings.policy.build(settings.limits).name().to_owned(),
        act: act_names(settings),
        interval_ms: millis_of(settings.interval),
        started_at_ms: now,
        taken_at_ms: now,
        flink: settings.flink.clone(),
        flink_error: None,
        jobs: None,
        agents: Vec::new(),
        counters: Counters::default(),
        shapes: Vec::new(),
    };
    Ok(Shared {
        fleet: Mutex::new(fleet),
        status: Mutex::new(status),
        journal: Mutex::default(),
        metrics: Metrics::new()?,
        reporters,
        last_cycle: Mutex::new(Instant::now()),
        stuck_after: (settings.interval + settings.timeout) * STUCK_AFTER_CYCLES,
    })
}

fn act_names(settings: &Settings) -> Vec<String> {
    settings
        .act
        .iter()
        .copied()
        .map(Act::name)
        .map(str::to_owned)
        .collect()
}

async fn wait_for(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is as good a reason to stop.
    let _ = flag.wait_for(|stop| *stop).await;
}
