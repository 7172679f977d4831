//! The profiles that come with Weir.

/// Their names.
pub const NAMES: [&str; 11] = [
    "flink",
    "direct-io-bloom-prefix",
    "direct-io-bloom",
    "direct-io-data-blocks",
    "direct-io-index-bloom-prefix",
    "direct-io-index-bloom",
    "direct-io-index",
    "direct-io",
    "experiment-buffered",
    "experiment-justin",
    "experiment-prefix",
];

/// The text of a profile.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    Some(match name {
        "flink" => include_str!("../profiles/flink.options"),
        "direct-io-bloom-prefix" => include_str!("../profiles/direct-io-bloom-prefix.options"),
        "direct-io-bloom" => include_str!("../profiles/direct-io-bloom.options"),
        "direct-io-data-blocks" => include_str!("../profiles/direct-io-data-blocks.options"),
        "direct-io-index-bloom-prefix" => {
            include_str!("../profiles/direct-io-index-bloom-prefix.options")
        }
        "direct-io-index-bloom" => include_str!("../profiles/direct-io-index-bloom.options"),
        "direct-io-index" => include_str!("../profiles/direct-io-index.options"),
        "direct-io" => include_str!("../profiles/direct-io.options"),
        "experiment-buffered" => include_str!("../profiles/experiment-buffered.options"),
        "experiment-justin" => include_str!("../profiles/experiment-justin.options"),
        "experiment-prefix" => include_str!("../profiles/experiment-prefix.options"),
        _ => return None,
    })
}
