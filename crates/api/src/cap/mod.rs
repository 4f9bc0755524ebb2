//! The Common Alerting Protocol 1.2 (OASIS CAP-V1.2), out of alerts and into what mappings of sources read.

mod read;
mod write;

pub(crate) use self::read::{Head, head, read};
pub(crate) use self::write::{MEDIA_TYPE, answer, write};

/// The namespace of CAP 1.2 §3.4.
const NAMESPACE: &str = "urn:oasis:names:tc:emergency:cap:1.2";

/// What comes before an alert's id in the identifiers of our documents, and after it in those that end one.
const OURS: &str = "holdfast-";
const ENDED: &str = "-end";
