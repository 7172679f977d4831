//! Agents that refuse, lie, die or forget: the controller says so, and changes nothing by mistake.

mod stand;

use stand::{Agent, Controller, Fault, MIB, lines, report};
use tempfile::tempdir;
use weir_controller::act::ActResult;
use weir_protocol::{CacheId, RefusalKind};

#[tokio::test]
async fn a_plan_is_written_down_carried_out_verified_and_its_effect_measured() {
    let agent = Agent::start().await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let history = file.to_str().unwrap();
    let flags = [
        "--agent",
        &agent.url(),
        "--act",
        "resize",
        "--history",
        history,
        "--cooldown",
        "1s",
    ];
    let controller = Controller::start(&flags).await;
    let status = controller
        .until("a resize is applied", |s| s.counters.applied > 0)
        .await;
    assert_eq!(agent.capacities_mib(), [48, 16]);
    let act = status.agents[0].last_act.clone().unwrap();
    assert_eq!(
        (act.action.as_str(), act.result),
        ("resize", ActResult::Applied)
    );
    let change = status.agents[0].caches[0].last_change.clone().unwrap();
    assert_eq!((change.from_bytes, change.to_bytes), (32 * MIB, 48 * MIB));

    let metrics = controller.text("/metrics").await;
    assert!(
        metrics
            .contains(r#"weir_decisions_total{action="resize",outcome="applied",policy="weir"} 1"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"weir_agents{state="up"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"operator_name="Join[1]""#), "{metrics}");

    // The next change ends the wait for this one's effect at the latest.
    controller
        .until("another cool-down has passed", |s| s.counters.applied > 1)
        .await;
    assert_eq!(controller.terminate(), Some(0));
    let decisions = lines(&file, "decision");
    let acting: Vec<_> = decisions.iter().filter(|d| d["acting"] == true).collect();
    let outcomes = lines(&file, "outcome");
    assert_eq!(acting[0]["decision"], outcomes[0]["decision"]);
    assert_eq!(outcomes[0]["outcome"]["result"], "applied");
    let effects = lines(&file, "effect");
    let operator = &effects[0]["effect"]["operators"][0];
    assert_eq!(operator["measured"], 0.4, "400 of every 1000 lookups miss");
    assert_eq!(
        operator["predicted"]["value"], 0.25,
        "the curve at 48 of 64 MiB"
    );
}

#[tokio::test]
async fn without_act_nothing_is_changed() {
    let agent = Agent::start().await;
    let controller = Controller::start(&["--agent", &agent.url()]).await;
    let status = controller
        .until("something is advised", |s| s.counters.advised > 2)
        .await;
    assert!(agent.state.lock().received.is_empty());
    assert_eq!(
        status.agents[0].last_act.as_ref().unwrap().result,
        ActResult::Advised
    );
    let sentence = status.agents[0].caches[0].decision.clone().unwrap();
    assert!(
        sentence.contains("grows from 32.0 MiB to 48.0 MiB"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_refusal_is_shown_with_the_agents_words() {
    let agent = Agent::start().await;
    agent.state.lock().fault = Fault::Refuse(RefusalKind::OverBudget);
    let controller = Controller::start(&["--agent", &agent.url(), "--act", "resize"]).await;
    let status = controller
        .until("it is refused", |s| s.counters.refused > 0)
        .await;
    let act = status.agents[0].last_act.clone().unwrap();
    assert!(
        act.message.contains("the moon is in the wrong phase"),
        "{}",
        act.message
    );
    assert_eq!(agent.capacities_mib(), [32, 32]);
}

#[tokio::test]
async fn of_two_writers_the_slower_one_looks_again() {
    let agent = Agent::start().await;
    agent.state.lock().fault = Fault::Refuse(RefusalKind::StaleGeneration);
    let controller = Controller::start(&["--agent", &agent.url(), "--act", "resize"]).await;
    controller
        .until("it is overtaken", |s| s.counters.stale > 0)
        .await;
    {
        let mut state = agent.state.lock();
        state.report.generation = 7;
        state.fault = Fault::None;
    }
    controller
        .until("it has read again", |s| s.counters.applied > 0)
        .await;
    let last = agent.state.lock().received.pop().unwrap();
    assert_eq!(last.generation, 8);
}

#[tokio::test]
async fn an_agent_that_says_yes_and_does_nothing_is_found_out() {
    let agent = Agent::start().await;
    agent.state.lock().fault = Fault::SayYesDoNothing;
    let controller = Controller::start(&["--agent", &agent.url(), "--act", "resize"]).await;
    let status = controller
        .until("it is found out", |s| s.counters.failed > 0)
        .await;
    assert_eq!(status.counters.applied, 0);
    let act = status.agents[0].last_act.clone().unwrap();
    assert!(
        act.message.contains("read back 33554432 bytes in force"),
        "{}",
        act.message
    );
}

#[tokio::test]
async fn a_lost_agent_is_named_and_taken_back() {
    let agent = Agent::start().await;
    let controller = Controller::start(&["--agent", &agent.url()]).await;
    controller
        .until("it reports", |s| s.agents.iter().any(|a| a.reachable))
        .await;
    let address = agent.die().await;
    let status = controller
        .until("it is lost", |s| s.agents.iter().any(|a| !a.reachable))
        .await;
    let error = status.agents[0].error.clone().unwrap();
    assert!(error.contains(&format!("http://{address}")), "{error}");
    // What is known stays visible, but nothing is decided on it any more.
    let frozen = |s: &weir_controller::status::Status| {
        let decision = s.agents[0].decision.as_ref();
        decision.is_some_and(|d| d.verdict == "all-frozen")
    };
    controller.until("its data are stale", frozen).await;
    let metrics = controller.text("/metrics").await;
    assert!(
        metrics.contains(r#"weir_agents{state="stale"} 1"#),
        "{metrics}"
    );
    let _agent = Agent::start_at(address, report(43)).await;
    controller
        .until("it is back", |s| s.agents.iter().any(|a| a.reachable))
        .await;
}

#[tokio::test]
async fn what_is_no_agent_is_not_taken_for_one() {
    let agent = Agent::start().await;
    agent.state.lock().fault = Fault::Garbage;
    let controller = Controller::start(&["--agent", &agent.url()]).await;
    let odd = |s: &weir_controller::status::Status| s.agents.iter().any(|a| a.error.is_some());
    let status = controller.until("it complains", odd).await;
    let error = status.agents[0].error.clone().unwrap();
    assert!(error.contains("is this really an agent?"), "{error}");

    agent.state.lock().fault = Fault::None;
    agent.state.lock().report.protocol_version = 2;
    let other = |s: &weir_controller::status::Status| {
        s.agents[0]
            .error
            .as_ref()
            .is_some_and(|e| e.contains("speaks protocol 2"))
    };
    controller.until("it names the versions", other).await;
}

#[tokio::test]
async fn counters_that_go_backwards_begin_a_new_life() {
    let agent = Agent::start().await;
    let controller = Controller::start(&["--agent", &agent.url(), "--window", "100s"]).await;
    let rate = |s: &weir_controller::status::Status| {
        let cache = s.agents.first().and_then(|a| a.caches.first());
        cache.and_then(|c| c.lookups_per_second)
    };
    let status = controller
        .until("there is a rate", |s| rate(s).is_some())
        .await;
    assert_eq!(rate(&status), Some(1000.0));
    for cache in &mut agent.state.lock().report.caches {
        cache.lookups[0].count = 0;
        cache.lookups[1].count = 0;
    }
    let cycles = status.counters.cycles;
    let status = controller
        .until("it went on", |s| {
            s.counters.cycles > cycles + 4 && rate(s).is_some()
        })
        .await;
    assert_eq!(rate(&status), Some(1000.0), "neither negative nor a jump");
    let window_ms = status.agents[0].caches[0].window_ms.unwrap();
    let seen_ms = (status.counters.cycles + 8) * 1000;
    assert!(window_ms < seen_ms, "{window_ms} is of the new life only");
}

#[tokio::test]
async fn an_announced_agent_is_polled_and_a_wrong_announcement_refused() {
    let agent = Agent::start().await;
    let controller = Controller::start(&[]).await;
    let announce = |version: u32, url: String| {
        let body = serde_json::json!({"protocol_version": version, "tm_id": "tm-1", "url": url});
        let request = reqwest::Client::new().post(format!("{}/v1/agents", controller.url));
        request.body(body.to_string()).send()
    };
    let refused = announce(9, agent.url()).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("speaks protocol 9"));
    let refused = announce(1, "ftp://tm".to_owned()).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(announce(1, agent.url()).await.unwrap().status(), 204);
    let status = controller
        .until("it reports", |s| s.agents.iter().any(|a| a.reachable))
        .await;
    assert_eq!(status.agents.len(), 1);
    assert_eq!(
        status.agents[0].report.as_ref().unwrap().caches[1].id,
        CacheId(2)
    );
}
