//! The tables in docs/configure.md are what the program says; `WEIR_UPDATE_DOCS=1 cargo test` writes them.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::fs;

use clap::CommandFactory;
use weir_controller::cli::Cli;
use weir_rocksdb_options::{BUILT_IN_PROFILES, Profile};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configure.md");

#[test]
fn profiles_and_settings_are_in_the_documentation() {
    let mut text = fs::read_to_string(DOCUMENT).unwrap();
    for (heading, table) in [("| profile |", profiles()), ("| setting |", settings())] {
        let start = text.find(heading).unwrap();
        let end = start + text[start..].find("\n\n").unwrap() + 1;
        if std::env::var_os("WEIR_UPDATE_DOCS").is_some_and(|v| v == "1") {
            text.replace_range(start..end, &table);
            fs::write(DOCUMENT, &text).unwrap();
        }
        assert_eq!(
            &text[start..start + table.len().min(text.len() - start)],
            table,
            "run WEIR_UPDATE_DOCS=1 cargo test -p weir-controller --test configure_docs"
        );
    }
}

fn profiles() -> String {
    let mut table = "| profile | what it is for |\n|---|---|\n".to_owned();
    for name in BUILT_IN_PROFILES {
        let profile = Profile::by_name(name).unwrap();
        table.push_str(&format!("| `{name}` | {} |\n", profile.summary));
    }
    table
}

fn settings() -> String {
    let mut table = "| setting | meaning |\n|---|---|\n".to_owned();
    let cli = Cli::command();
    let run = cli.find_subcommand("run").unwrap();
    for argument in run.get_arguments() {
        let Some(name) = argument
            .get_long()
            .filter(|n| !["help", "version"].contains(n))
        else {
            continue;
        };
        let meaning = argument.get_help().unwrap().to_string();
        table.push_str(&format!("| `{name}` | {} |\n", meaning.replace('|', "\\|")));
    }
    table
}
