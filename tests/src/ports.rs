//! Free TCP ports on loopback.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Result, bail};

/// Below Linux's default range for outgoing connections (32768 and up), so that no client socket takes a port between our look and the server's bind.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// Ports this process has handed out already; a server may not have bound its own yet.
static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port nobody listens on. The start of the search is random, so that several harnesses rarely meet.
pub fn free_port() -> Result<u16> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let start = RandomState::new().hash_one(0) % u64::from(COUNT);
    for i in 0..COUNT {
        let port = FIRST + (start as u16 + i) % COUNT;
        if !taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            taken.insert(port);
            return Ok(port);
        }
    }
    bail!("no free port in {FIRST}..{} on 127.0.0.1", FIRST + COUNT)
}
