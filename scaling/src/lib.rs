//! From a snapshot of the job to a plan for its memory.
