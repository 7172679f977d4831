//! `make demo`: the whole loop on a cluster of its own, with a live table.
fn main() {}
