//! Sampling that was given up stays given up. A process of its own, because it cannot be taken back.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use weir_agent::agent::{Agent, LogLevel};
use weir_agent::collector;
use weir_agent::operator::OperatorContext;
use weir_agent::settings::Settings;
use weir_mrc::SamplingThresholds;
use weir_protocol::{BlockRole, Caller, LookupResult};

#[test]
fn a_collector_that_keeps_failing_gives_up_sampling_and_nothing_else() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = lines.clone();
    let pairs = [("mode", "observe"), ("budget-bytes", "100000000")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let agent = Agent::new(
        Settings::parse(&pairs).unwrap(),
        Box::new(move |level, line| log.lock().push((level, line.to_owned()))),
    );
    let present = OperatorContext::default();
    present.switch_on(1, 1);
    assert_eq!(present.ceiling(), u64::MAX);

    let mut rounds = 0;
    collector::repeat(&agent, || {
        rounds += 1;
        // It recovers from one failure.
        assert_eq!(rounds, 2, "injected");
    });
    assert_eq!(rounds, 4, "three failures, and one round between them");
    assert_eq!(agent.counts.panics_caught.load(Ordering::Relaxed), 3);
    assert_eq!(agent.health().panics_caught, 3);
    let lines = lines.lock();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].0, LogLevel::Warn);
    assert!(lines[0].1.contains("samples no more"), "{}", lines[0].1);

    let future = OperatorContext::default();
    future.switch_on(2, 1);
    for context in [&present, &future] {
        context.set_thresholds(&SamplingThresholds::ALL); // as a collector would, with what its estimator says
        assert_eq!(context.ceiling(), 0);
        context.count(Caller::Task, BlockRole::Data, LookupResult::Hit);
        assert_eq!(context.task_hits_and_misses(), (1, 0));
    }
}
