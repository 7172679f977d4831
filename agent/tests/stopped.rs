//! Sampling that was given up stays given up. A process of its own, because it cannot be taken back.

use weir_agent::operator::{self, OperatorContext};
use weir_protocol::{BlockRole, Caller, LookupResult};

#[test]
fn stopped_sampling_stays_stopped_and_counting_goes_on() {
    let present = OperatorContext::default();
    present.switch_on(1, 1);
    assert_eq!(present.threshold(), u64::MAX);
    operator::stop_sampling([&present].into_iter());
    let future = OperatorContext::default();
    future.switch_on(2, 1);
    for context in [&present, &future] {
        context.set_threshold(u64::MAX); // as a report would, with what its estimator says
        assert_eq!(context.threshold(), 0);
        context.count(Caller::Task, BlockRole::Data, LookupResult::Hit);
        assert_eq!(context.task_hits_and_misses(), (1, 0));
    }
}
