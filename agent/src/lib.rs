//! The native agent inside the TaskManager.
