//! Commands about files.

use serde::{Deserialize, Serialize};

use super::FileDigest;
use crate::conversations::Speaker;
use crate::ids::{FileId, NodeId, RoomId};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Says that a file is on its way into a room. Its id is the request's ([`FileId::of_request`]).
    Announce(Announce),
    /// A node holds it whole, and it is what it was said to be. The first such word posts the message that shows it.
    Arrive { file: FileId, node: NodeId },
    /// What a node holds now, and what it found lost (loop command).
    Hold {
        node: NodeId,
        held: Vec<FileDigest>,
        lost: Vec<FileDigest>,
    },
    /// Takes a file away: its bytes go from every node. An announcement goes altogether.
    Remove { file: FileId, by: Speaker },
    /// Announcements whose time is over go (loop command).
    Expire { files: Vec<FileId> },
}

/// A file on its way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Announce {
    pub room: RoomId,
    pub by: Speaker,
    /// As people call it; its ending says what it is.
    pub name: String,
    pub sha256: FileDigest,
    /// In bytes.
    pub size: u64,
    /// What is said with it; may be empty.
    pub caption: String,
    /// Its name and what is said with it never leave by SMS or mail.
    pub restricted: bool,
}
