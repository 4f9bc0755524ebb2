//! Words sent to people, by language.
