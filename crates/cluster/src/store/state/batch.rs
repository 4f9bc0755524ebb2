//! Entries on their way into one transaction.

use domain::LogEntry;
use openraft::EntryPayload;
use openraft::storage::{ApplyResponder, EntryResponder};

use crate::types::{LogId, StoredMembership, TypeConfig, leader_stamp};

/// One transaction takes at most this many entries and about this many bytes of them.
const BATCH_ENTRIES: usize = 512;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Entries on their way into one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<LogEntry>,
    pub(super) kinds: Vec<Kind>,
    pub(super) responders: Vec<Option<ApplyResponder<TypeConfig>>>,
    pub(super) membership: Option<StoredMembership>,
    pub(super) last: Option<LogId>,
    pub(super) bytes: usize,
    /// The last entry asks for a digest of the state right after it, so the batch ends there.
    pub(super) marked: bool,
}

pub(super) enum Kind {
    Empty,
    Undecodable,
    Command,
}

impl Batch {
    pub(super) fn is_full(&self) -> bool {
        self.marked || self.kinds.len() >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES
    }

    pub(super) fn push(&mut self, (entry, responder): EntryResponder<TypeConfig>) {
        let log_id = entry.log_id;
        let kind = match entry.payload {
            EntryPayload::Blank => Kind::Empty,
            EntryPayload::Membership(membership) => {
                self.membership = Some(StoredMembership::new(Some(log_id), membership));
                Kind::Empty
            }
            EntryPayload::Normal(record) => {
                self.bytes += record.as_bytes().len();
                match record.decode() {
                    Ok(envelope) => {
                        let leader = leader_stamp(&log_id.leader_id);
                        self.marked = envelope.command.marks_digest();
                        self.entries.push(LogEntry {
                            index: log_id.index,
                            leader,
                            envelope,
                        });
                        Kind::Command
                    }
                    // The checksum held, so these are the bytes that were proposed: garbage, the same on every node.
                    // Commands of newer versions do not come here, the feature level holds them back (DESIGN A11).
                    Err(error) => {
                        tracing::error!(index = log_id.index, %error, "a log entry holds no command, passed over");
                        Kind::Undecodable
                    }
                }
            }
        };
        self.kinds.push(kind);
        self.responders.push(responder);
        self.last = Some(log_id);
    }
}
