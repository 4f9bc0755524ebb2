//! All integration tests link into this one binary.
