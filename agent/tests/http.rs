//! The agent's HTTP server as a client sees it, reasonable or not.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod promtool;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use weir_agent::agent::Agent;
use weir_agent::exporter;
use weir_agent::settings::Settings;
use weir_protocol::{HookState, Refusal, RefusalKind, Report};

fn start(extra: &[(&str, &str)]) -> SocketAddr {
    let mut pairs = vec![
        ("mode", "per-operator"),
        ("budget-bytes", "100000000"),
        ("http-port-range", "9300-9399"),
        ("tm-id", "tm \"1\""),
    ];
    pairs.extend(extra);
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let agent: Arc<Agent> = Agent::new(Settings::parse(&pairs).unwrap(), Box::new(|_, _| {}));
    let listener = exporter::bind(&agent).expect("a free port");
    let address = listener.local_addr().unwrap();
    exporter::start(agent, listener, format!("http://{address}")).unwrap();
    address
}

/// Status and body of the answer to a request given as it goes over the wire.
fn exchange(address: SocketAddr, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: weir\r\n\r\n").as_bytes(),
    )
}

fn put(address: SocketAddr, headers: &str, body: &str) -> (u16, Refusal) {
    let request = format!(
        "PUT /v1/allocation HTTP/1.1\r\nHost: weir\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, body) = exchange(address, request.as_bytes());
    let refusal: Refusal = serde_json::from_str(&body).unwrap();
    assert_eq!(status, refusal.kind.http_status());
    (status, refusal)
}

#[test]
fn a_reasonable_client_gets_what_it_asks_for() {
    let address = start(&[]);
    assert_eq!(get(address, "/healthz"), (200, "ok\n".to_owned()));
    let (status, body) = get(address, "/v1/report");
    assert_eq!(status, 200);
    let report: Report = serde_json::from_str(&body).unwrap();
    assert_eq!(report.budget.total_bytes, 100_000_000);
    assert_eq!(report.budget.cache_bytes, 50_000_000);
    assert_eq!(report.agent.hook, HookState::Waiting);
    let (status, metrics) = get(address, "/metrics");
    assert_eq!(status, 200);
    let info = metrics
        .lines()
        .find(|line| line.starts_with("weir_agent_info{"))
        .unwrap();
    assert!(info.contains("hooked=\"waiting\""), "{info}");
    assert!(
        info.contains("tm_id=\"tm \\\"1\\\"\""),
        "labels are escaped: {info}"
    );
    assert_eq!(get(address, "/v2").0, 404);
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let (_, metrics) = get(start(&[]), "/metrics");
    promtool::assert_clean(&metrics);
}

#[test]
fn an_unreasonable_change_is_refused_with_its_reason() {
    let address = start(&[]);
    let kind = |body: &str| put(address, "", body).1.kind;
    assert_eq!(kind("garbage"), RefusalKind::Malformed);
    assert_eq!(
        kind("{\"generation\":1,\"caches\":[]}"),
        RefusalKind::Malformed
    );
    assert_eq!(
        kind("{\"generation\":0,\"caches\":[]}"),
        RefusalKind::StaleGeneration
    );
    let unknown = "{\"generation\":1,\"caches\":[{\"id\":7,\"capacity_bytes\":2000000}]}";
    let (_, refusal) = put(address, "", unknown);
    assert_eq!(refusal.kind, RefusalKind::UnknownCache);
    assert!(refusal.message.contains("cache 7"), "{}", refusal.message);
    let too_long = format!("{{\"generation\":1,\"caches\":[{}]}}", " ".repeat(300_000));
    assert_eq!(kind(&too_long), RefusalKind::Malformed);
}

#[test]
fn with_a_token_file_only_its_token_may_change_anything() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let address = start(&[("http-token-file", file.to_str().unwrap())]);
    let body = "{\"generation\":1,\"caches\":[]}";
    for headers in [
        "",
        "Authorization: Bearer wrong\r\n",
        "Authorization: Bearer \r\n",
    ] {
        assert_eq!(
            put(address, headers, body).1.kind,
            RefusalKind::Unauthorized,
            "{headers}"
        );
    }
    let authorised = put(address, "Authorization: Bearer s3cret\r\n", body);
    assert_eq!(authorised.1.kind, RefusalKind::Malformed, "past the token");
    assert_eq!(get(address, "/v1/report").0, 200, "reading needs none");
    std::fs::write(&file, "").unwrap();
    assert_eq!(
        put(address, "Authorization: Bearer \r\n", body).1.kind,
        RefusalKind::Unauthorized,
        "an empty token opens nothing"
    );
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out() {
    let address = start(&[]);
    // More than there are places. Those beyond are closed at once, the others after their time.
    let silent: Vec<_> = (0..40)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    drop(silent);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut answer = String::new();
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n");
        let _ = stream.read_to_string(&mut answer);
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "the server came back to nobody"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
