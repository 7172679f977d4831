//! The controller daemon and command line.
