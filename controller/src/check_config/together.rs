//! What works in each file alone and not in both together.

use super::controller_file::line_of;
use super::finding::Findings;
use super::flink_file::{is_loopback, mode};
use super::flink_yaml::FlinkYaml;
use super::weir_keys;
use crate::raw_settings::RawSettings;

/// Flink's configuration and the controller's, as far as they could be read.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// Name of Flink's file.
    pub flink_name: &'a str,
    /// Flink's.
    pub flink: &'a FlinkYaml,
    /// The controller's.
    pub controller: &'a RawSettings,
    /// Its text, for line numbers.
    pub controller_text: &'a str,
}

/// Holds the two against each other; findings are about the controller's file.
pub fn check(pair: Pair<'_>, findings: &mut Findings) {
    let Pair {
        flink_name,
        flink,
        controller,
        controller_text,
    } = pair;
    let act = controller.act.as_deref().unwrap_or_default();
    let acts = |name: &str| act.iter().any(|a| a == name);
    let line = |key: &str| line_of(controller_text, key);
    if acts("resize") && mode(flink) == "observe" {
        findings.error(
            "act",
            line("act"),
            format!("resize has nothing to do: in {flink_name} {} is observe, in which no size may be changed", weir_keys::MODE),
            "set it to shared or per-operator there, or take resize away here",
        );
    }
    if acts("rescale")
        && flink
            .text("jobmanager.scheduler")
            .map(str::to_ascii_lowercase)
            .as_deref()
            != Some("adaptive")
    {
        findings.error(
            "act",
            line("act"),
            format!("rescale needs Flink's adaptive scheduler, which {flink_name} does not choose"),
            "add `jobmanager.scheduler: adaptive` there, or take rescale away here",
        );
    }
    if (acts("rescale") || acts("patch")) && flink.get("execution.checkpointing.interval").is_none()
    {
        findings.warning(
            "act",
            line("act"),
            format!("a job whose parallelism changes begins from its last checkpoint, and {flink_name} sets no execution.checkpointing.interval"),
            "set one there, or see that every job sets its own",
        );
    }
    let token = flink.get("weir.http.token-file");
    if acts("resize") && token.is_some() && controller.agent_token_file.is_none() {
        findings.error(
            "agent-token-file",
            None,
            format!("agents want a token for changes (weir.http.token-file in {flink_name}), and the controller has none"),
            "set agent-token-file to a file with the same token",
        );
    }
    if token.is_none() && controller.agent_token_file.is_some() {
        findings.warning(
            "agent-token-file",
            line("agent-token-file"),
            format!(
                "a token is sent that no agent asks for: {flink_name} has no weir.http.token-file"
            ),
            "set it there, or changes from other hosts are refused",
        );
    }
    let announced = flink.text("weir.controller.url");
    if announced.is_none() && controller.agent.as_ref().is_none_or(Vec::is_empty) {
        findings.warning(
            "agent",
            line("agent"),
            format!("nobody tells the controller where the agents are: neither agent here nor weir.controller.url in {flink_name}"),
            "set weir.controller.url there",
        );
    }
    if let Some(url) = announced
        && let Ok(url) = reqwest::Url::parse(url)
    {
        let listen = controller
            .listen
            .as_deref()
            .unwrap_or(crate::settings::Settings::LISTEN);
        let (host, port) = listen.rsplit_once(':').unwrap_or((listen, ""));
        if url
            .port_or_known_default()
            .map(|p| p.to_string())
            .as_deref()
            != Some(port)
        {
            findings.error(
                "listen",
                line("listen"),
                format!("the controller listens at {listen}, and agents announce themselves at {url} (weir.controller.url in {flink_name})"),
                "write the same port in both",
            );
        } else if is_loopback(host) && !url.host_str().is_some_and(is_loopback) {
            findings.error(
                "listen",
                line("listen"),
                format!("the controller listens at {listen}, which only its own host reaches, and agents announce themselves at {url}"),
                format!("write `listen = \"0.0.0.0:{port}\"`"),
            );
        }
    }
}
