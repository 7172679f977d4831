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
    start_agent(extra).1
}

fn start_agent(extra: &[(&str, &str)]) -> (Arc<Agent>, SocketAddr) {
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
    exporter::start(agent.clone(), listener, format!("http://{address}")).unwrap();
    (agent, address)
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
fn a_refusal_is_told_with_its_reason() {
    let (agent, address) = start_agent(&[]);
    let reason = "librocksdbjni.so: vtable slot 4 does not hold \"Lookup\"";
    agent.note_refusal(reason.to_owned());
    let (_, metrics) = get(address, "/metrics");
    let told = ["hooked=\"no\"".to_owned(), format!("reason={reason:?}")];
    let mut lines = metrics.lines();
    let info = lines.find(|line| line.starts_with("weir_agent_info{"));
    let info = info.unwrap();
    assert!(told.iter().all(|label| info.contains(label)), "{info}");
    assert!(info.ends_with(" 1"), "{info}");
    let report: Report = serde_json::from_str(&get(address, "/v1/report").1).unwrap();
    let refused = HookState::Refused {
        reason: reason.to_owned(),
    };
    assert_eq!(report.agent.hook, refused);
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
fn without_a_free_port_there_is_no_server_and_nothing_fails() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let pairs = [
        ("mode", "per-operator"),
        ("budget-bytes", "100000000"),
        ("http-port-range", &*port),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let agent = Agent::new(Settings::parse(&pairs).unwrap(), Box::new(|_, _| {}));
    assert!(exporter::bind(&agent).is_none());
    assert_eq!(agent.url(), "");
    assert_eq!(
        agent.report().budget.total_bytes,
        100_000_000,
        "it works on"
    );
}

/// Sends until the server has had enough; what it answered by then, if anything.
fn flood(address: SocketAddr, head: &str, piece: &[u8], pieces: usize) -> (usize, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut sent = 0;
    while sent < pieces && stream.write_all(piece).is_ok() {
        sent += 1;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    (sent, String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn a_body_of_100_mib_is_not_taken_in() {
    let address = start(&[]);
    let mib = vec![b' '; 1 << 20];
    let head = format!(
        "PUT /v1/allocation HTTP/1.1\r\nHost: weir\r\nContent-Length: {}\r\n\r\n",
        100 << 20
    );
    let (sent, answer) = flood(address, &head, &mib, 100);
    assert!(sent < 100, "all was read");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    let endless = "PUT /v1/allocation HTTP/1.1\r\nHost: weir\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"100000\r\n".to_vec(), mib, b"\r\n".to_vec()].concat();
    let (sent, _) = flood(address, endless, &chunk, 100);
    assert!(sent < 100, "all was read");
    assert_eq!(get(address, "/healthz").0, 200);
}

#[test]
fn garbage_is_answered_or_hung_up_on_and_others_are_served() {
    let address = start(&[]);
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut garbage = Vec::new();
    for _ in 0..8192 {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        garbage.extend(noise.to_le_bytes());
    }
    let long_header = format!("GET / HTTP/1.1\r\nX: {}\r\n", "a".repeat(1 << 20));
    let many_headers = format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(10_000));
    for request in [
        &garbage[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"PUT /v1/allocation HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        long_header.as_bytes(),
        many_headers.as_bytes(),
    ] {
        let (_, answer) = flood(address, "", request, 1);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
        assert_eq!(get(address, "/healthz").0, 200);
    }
}

#[test]
fn a_client_that_drips_its_request_is_hung_up_on() {
    let address = start(&[]);
    let mut slow: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for stream in &mut slow {
        stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    }
    let mut open = slow.len();
    let mut drips = 0;
    while open > 0 {
        std::thread::sleep(std::time::Duration::from_millis(250));
        assert_eq!(
            get(address, "/healthz").0,
            200,
            "others are served meanwhile"
        );
        slow.retain_mut(|stream| stream.write_all(b"X: y\r\n").is_ok());
        open = slow.len();
        drips += 1;
        assert!(drips < 400, "{open} clients may drip for ever");
    }
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
