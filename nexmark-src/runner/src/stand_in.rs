//! A JobManager for tests that answers what it is told to: real jobs end well too reliably to show what is said of those that do not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use weir_testbed::FlinkRest;

/// One job, `j`, with one task that reads the event stream.
#[derive(Debug, Clone)]
pub(crate) struct StandIn {
    /// Of the job; it is cancelled when that is asked for.
    pub(crate) state: &'static str,
    pub(crate) exception: &'static str,
    pub(crate) subtasks: u32,
    /// Events that its source has read; `None`: there are no metrics yet.
    pub(crate) events: Option<u64>,
    /// Rows that its sink has counted.
    pub(crate) rows: Option<u64>,
    /// `METHOD path` of every request.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// Their bodies.
    pub(crate) bodies: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    /// A job in a state that has read and written a thousand.
    pub(crate) fn of(state: &'static str) -> Self {
        Self {
            state,
            exception: "",
            subtasks: 1,
            events: Some(1_000),
            rows: Some(1_000),
            asked: Arc::default(),
            bodies: Arc::default(),
        }
    }

    /// Answers until the test ends.
    pub(crate) fn serve(mut self) -> FlinkRest {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                self.answer(stream);
            }
        });
        FlinkRest::new(&url)
    }

    fn answer(&mut self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        let mut length = 0;
        reader.read_line(&mut request).expect("a request");
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).expect("a header");
            let header = header.trim().to_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the whole body");
        let body = String::from_utf8_lossy(&body).into_owned();
        self.bodies.lock().expect("nobody panics").push(body);
        let request: Vec<&str> = request.split(' ').take(2).collect();
        self.asked
            .lock()
            .expect("nobody panics")
            .push(request.join(" "));
        let body = self.body(request[0], request[1]).to_string();
        let mut stream = reader.into_inner();
        // A client that has hung up wants no answer.
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }

    fn body(&mut self, method: &str, path: &str) -> Value {
        const COUNTER: &str = "Source__events[1].numRecordsIn";
        match path {
            "/jobs/j" => json!({ "state": self.state, "vertices": [{
                "id": "v", "name": "Source: events[1] -> Calc[2]", "status": "RUNNING", "parallelism": self.subtasks,
                "start-time": 5_000, "end-time": 7_000, "metrics": { "read-bytes": 0 }
            }]}),
            "/jobs/j/exceptions" => json!({ "root-exception": self.exception }),
            "/jobs/j/vertices/v/subtasks/metrics" => match self.events {
                None => json!([]),
                Some(_) => {
                    json!([{ "id": "Source__events[1].numRecordsInPerSecond" }, { "id": COUNTER }])
                }
            },
            "/jobs/j/accumulators" => match self.rows {
                None => json!({}),
                Some(rows) => json!({ "user-task-accumulators": [
                    { "name": "nexmark rows", "type": "LongCounter", "value": rows.to_string() }
                ]}),
            },
            "/jobs/j/checkpoints" => {
                json!({ "latest": { "completed": { "state_size": 9, "checkpointed_size": 4 } } })
            }
            "/taskmanagers" => json!({ "taskmanagers": [] }),
            _ if method == "PATCH" => {
                self.state = "CANCELED";
                json!({})
            }
            _ if path.ends_with("/run") => json!({ "jobid": "j" }),
            _ => json!([{ "id": COUNTER, "sum": self.events.unwrap_or(0) }]),
        }
    }
}
