//! What the Java side tells the agent at start, as key and value pairs.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use weir_protocol::MemoryMode;
use weir_rocksdb_options::MemorySplit;

/// Settings of one agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Identity of the TaskManager.
    pub tm_id: String,
    /// What it may spend.
    pub memory: MemorySplit,
    /// `weir.memory.mode`.
    pub mode: MemoryMode,
    /// Sampled blocks per estimator.
    pub samples: usize,
    /// Age at which an access counts half.
    pub half_life: Duration,
    /// First free port of these is taken.
    pub http_ports: RangeInclusive<u16>,
    /// Address to listen on.
    pub http_bind_host: String,
    /// File that holds the bearer token for changes.
    pub http_token_file: Option<PathBuf>,
    /// Where the agent announces itself.
    pub controller_url: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSetting {
    /// Nobody reads this key.
    #[error(
        "the agent knows no setting '{0}'; the JAR's Java part and its native library are of different versions"
    )]
    Unknown(String),
    /// The value does not parse.
    #[error("setting '{key}' is '{value}', which is not {expected}")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
    /// A key without which nothing works.
    #[error("setting '{0}' is missing")]
    Missing(&'static str),
}

impl Settings {
    /// Reads the pairs. Keys left out, and empty values, have DESIGN's defaults; the budget has none.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, InvalidSetting> {
        let mut budget = None;
        let mut write_buffer_ratio = 0.5;
        let mut settings = Self {
            tm_id: default_tm_id(),
            memory: MemorySplit {
                total_bytes: 0,
                write_buffer_bytes: 0,
                write_buffer_manager_bytes: 0,
                cache_bytes: 0,
                shared_cache_bytes: 0,
            },
            mode: MemoryMode::Observe,
            samples: 8192,
            half_life: Duration::from_secs(600),
            http_ports: 9260..=9299,
            http_bind_host: Ipv4Addr::LOCALHOST.to_string(),
            http_token_file: None,
            controller_url: None,
        };
        for (key, value) in pairs {
            let invalid = |expected| InvalidSetting::Value {
                key: key.clone(),
                value: value.clone(),
                expected,
            };
            if value.is_empty() {
                continue;
            }
            match key.as_str() {
                "tm-id" => settings.tm_id.clone_from(value),
                "budget-bytes" => {
                    budget = Some(value.parse().map_err(|_| invalid("a number of bytes"))?);
                }
                "write-buffer-ratio" => {
                    write_buffer_ratio = value
                        .parse()
                        .map_err(|_| invalid("a share between 0 and 1"))?;
                }
                "mode" => {
                    settings.mode = match value.as_str() {
                        "observe" => MemoryMode::Observe,
                        "shared" => MemoryMode::Shared,
                        "per-operator" => MemoryMode::PerOperator,
                        _ => return Err(invalid("observe, shared or per-operator")),
                    };
                }
                "samples" => {
                    settings.samples = value
                        .parse()
                        .ok()
                        .filter(|samples| (64..=1 << 20).contains(samples))
                        .ok_or_else(|| invalid("a number from 64 to 1048576"))?;
                }
                "half-life-ms" => {
                    settings.half_life = value
                        .parse()
                        .ok()
                        .filter(|millis| *millis >= 1000)
                        .map(Duration::from_millis)
                        .ok_or_else(|| invalid("a number of milliseconds, 1000 or more"))?;
                }
                "http-port-range" => {
                    settings.http_ports = ports(value)
                        .ok_or_else(|| invalid("a port or a range such as 9260-9299"))?;
                }
                "http-bind-host" => settings.http_bind_host.clone_from(value),
                "http-token-file" => settings.http_token_file = Some(PathBuf::from(value)),
                "controller-url" => {
                    if !value.starts_with("http://") {
                        return Err(invalid("a URL that starts with http://"));
                    }
                    settings.controller_url = Some(value.trim_end_matches('/').to_owned());
                }
                // The Java part's version; told for the log only.
                "version" => {}
                _ => return Err(InvalidSetting::Unknown(key.clone())),
            }
        }
        let budget = budget.ok_or(InvalidSetting::Missing("budget-bytes"))?;
        settings.memory =
            MemorySplit::new(budget, write_buffer_ratio).map_err(|_| InvalidSetting::Value {
                key: "write-buffer-ratio".to_owned(),
                value: write_buffer_ratio.to_string(),
                expected: "a share between 0 and 1",
            })?;
        Ok(settings)
    }

    /// What all capacities may reach together. A cache that is Flink's also holds what its write buffer manager reserves.
    #[must_use]
    pub fn cache_budget_bytes(&self) -> u64 {
        match self.mode {
            MemoryMode::PerOperator => self.memory.cache_bytes,
            MemoryMode::Observe | MemoryMode::Shared => self.memory.shared_cache_bytes,
        }
    }

    /// What a write buffer manager takes of the budget beside the caches, in percent of its size. Memtables may hold half as much
    /// again as it is told; Flink's own is charged to the shared cache, so that there only that half is beside.
    #[must_use]
    pub fn write_buffer_cost_percent(&self) -> u32 {
        match self.mode {
            MemoryMode::PerOperator => 150,
            MemoryMode::Shared => 50,
            MemoryMode::Observe => 0,
        }
    }

    /// Host under which others reach this agent: the bind address; where that is a wildcard, the address from which this machine
    /// reaches the controller (a pod's host name means nothing to other pods), or else the host's name.
    #[must_use]
    pub fn advertised_host(&self) -> String {
        match self.http_bind_host.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() => self
                .controller_url
                .as_deref()
                .and_then(local_address_towards)
                .map_or_else(host_name, in_url),
            Ok(address) => in_url(address),
            Err(_) => self.http_bind_host.clone(),
        }
    }
}

fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Address of this machine on the route to a server. Connecting a datagram socket only looks the route up; no packet is sent.
fn local_address_towards(url: &str) -> Option<IpAddr> {
    const HTTP_PORT: u16 = 80;
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let mut targets = if has_port {
        authority.to_socket_addrs().ok()?
    } else {
        format!("{authority}:{HTTP_PORT}").to_socket_addrs().ok()?
    };
    targets.find_map(|target| {
        let any = if target.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(target).ok()?;
        Some(socket.local_addr().ok()?.ip())
    })
}

fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
    (!range.is_empty()).then_some(range)
}

fn default_tm_id() -> String {
    format!("{}:{}", host_name(), std::process::id())
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_else(|_| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Settings, InvalidSetting> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Settings::parse(&pairs)
    }

    #[test]
    fn every_key_changes_what_it_names() {
        let settings = parse(&[
            ("tm-id", "tm-1"),
            ("budget-bytes", "1000"),
            ("write-buffer-ratio", "0.25"),
            ("mode", "per-operator"),
            ("samples", "1024"),
            ("half-life-ms", "30000"),
            ("http-port-range", "9300-9301"),
            ("http-bind-host", "0.0.0.0"),
            ("http-token-file", "/run/token"),
            ("controller-url", "http://127.0.0.1:9240/"),
            ("version", "0.1.0"),
        ])
        .unwrap();
        assert_eq!(settings.tm_id, "tm-1");
        assert_eq!(settings.memory.cache_bytes, 750);
        assert_eq!(settings.mode, MemoryMode::PerOperator);
        assert_eq!(settings.samples, 1024);
        assert_eq!(settings.half_life, Duration::from_secs(30));
        assert_eq!(settings.http_ports, 9300..=9301);
        assert_ne!(settings.advertised_host(), "0.0.0.0");
        assert_eq!(settings.http_token_file, Some(PathBuf::from("/run/token")));
        assert_eq!(
            settings.controller_url.as_deref(),
            Some("http://127.0.0.1:9240")
        );
    }

    #[test]
    fn behind_a_wildcard_the_route_to_the_controller_tells_the_address() {
        let host = |url: &str| {
            let pairs = [
                ("budget-bytes", "1000"),
                ("http-bind-host", "0.0.0.0"),
                ("controller-url", url),
            ];
            parse(&pairs).unwrap().advertised_host()
        };
        assert_eq!(host("http://127.0.0.1:9240"), "127.0.0.1");
        assert_eq!(host("http://127.0.0.1/weir"), "127.0.0.1");
        assert_eq!(host("http://no-such-host.invalid:9240"), host_name());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (key, value) in [
            ("budget-bytes", "lots"),
            ("write-buffer-ratio", "1.5"),
            ("mode", "watch"),
            ("samples", "3"),
            ("half-life-ms", "5"),
            ("http-port-range", "9-1"),
            ("controller-url", "ftp://x"),
            ("sample", "8192"),
        ] {
            let mut pairs = vec![(key, value)];
            if key != "budget-bytes" {
                pairs.push(("budget-bytes", "1000"));
            }
            let message = parse(&pairs).unwrap_err().to_string();
            assert!(message.contains(&format!("'{key}'")), "{message}");
        }
        assert_eq!(
            parse(&[("samples", "")]),
            Err(InvalidSetting::Missing("budget-bytes"))
        );
    }
}
