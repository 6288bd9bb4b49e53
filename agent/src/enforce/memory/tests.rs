//! What a run remembers.
