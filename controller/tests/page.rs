//! The page in a real browser: what it shows of a running controller, that names are text and nothing else, and that nothing it does
//! is against its own content security policy.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use stand::{Agent, Controller, report};
use weir_protocol::Report;
use weir_testbed::RenderedPage;

/// An operator's name that would be a program if it were taken for markup.
const HOSTILE: &str = "<img src=x onerror=document.title='broken-into'>";

async fn open(url: String) -> RenderedPage {
    let opened = tokio::task::spawn_blocking(move || RenderedPage::open(&url));
    opened.await.unwrap().unwrap()
}

fn report_with_a_hostile_name() -> Report {
    let mut report = report(42);
    report.caches[1].operator.operator_name = HOSTILE.to_owned();
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_curve_and_decisions_are_on_the_page_and_names_are_text() {
    let agent = Agent::start_with(report_with_a_hostile_name()).await;
    let controller = Controller::start(&["--agent", &agent.url(), "--act", "resize"]).await;
    controller
        .until("memory moved", |s| s.counters.applied > 0)
        .await;
    let page = open(format!("{}/", controller.url)).await;
    page.assert_shows("TaskManager tm-1");
    page.assert_shows("policy weir · may resize");
    page.assert_shows("mode per-operator · RocksDB 6.20.3 · hooked");
    page.assert_shows("Join[1] (0)");
    // Names of jobs are text.
    page.assert_shows("&lt;img src=x onerror=document.title='broken-into'&gt; (0)");
    page.assert_shows("<title>Weir</title>");
    // The chart is drawn, and said in words.
    page.assert_shows("class=\"uplot");
    page.assert_shows("The curve says");
    // What was decided, and what became of it.
    page.assert_shows("applied");
    page.assert_shows("TaskManager tm-1: ");
    page.assert_no_complaint();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_cache_it_names() {
    let agent = Agent::start().await;
    let controller = Controller::start(&["--agent", &agent.url()]).await;
    controller
        .until("the report is in", |s| {
            s.agents.iter().any(|a| !a.caches.is_empty())
        })
        .await;
    for id in [1, 2] {
        let page = open(format!("{}/#cache=tm-1/{id}", controller.url)).await;
        page.assert_shows(&format!("<p id=\"curve-sentence\">Join[{id}] (0) has "));
        page.assert_no_complaint();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_agents_the_page_says_what_to_do() {
    let controller = Controller::start(&[]).await;
    let page = open(format!("{}/", controller.url)).await;
    page.assert_shows("Set weir.controller.url");
    page.assert_shows("started: policy weir, advises only");
    page.assert_shows("No Flink is configured");
    page.assert_no_complaint();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_with_their_type_and_a_policy_and_others_are_not() {
    let controller = Controller::start(&[]).await;
    let get = async |path: &str| {
        reqwest::get(format!("{}{path}", controller.url))
            .await
            .unwrap()
    };
    for (path, kind) in [
        ("/", "text/html"),
        ("/page/page.js", "text/javascript"),
        ("/page/uplot.js", "text/javascript"),
        ("/page/page.css", "text/css"),
    ] {
        let answer = get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    }
    assert_eq!(get("/page/../Cargo.toml").await.status(), 404);
    assert_eq!(get("/page/nothing.js").await.status(), 404);
}
