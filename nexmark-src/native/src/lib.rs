//! What the Flink source's native feed calls: `io.weir.nexmark.source.NativeEvents`.
//!
//! | file | what |
//! |---|---|
//! | [`exports`] | the functions that the JVM finds by name; the only `unsafe` of the event generator |
//! | [`generators`] | the open generators, by number |
//!
//! Numbers instead of pointers go to Java, so that a wrong one is an error and not the end of the process.

mod exports;
mod generators;
