//! Commands about texts that came in.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A text arrived at a node's modem. The same `key` a second time changes nothing.
    Receive(Receive),
    /// Looks again at texts whose code an island did not know, now that somebody here does (loop command). Each counts
    /// from when it was received; one that was understood meanwhile is left alone.
    Replay { keys: Vec<[u8; 16]> },
    /// Says who may order by text: names such as `person:anna`, `group:duty` and `schedule:net`. Nobody until it is said.
    SetCommanders { whom: Vec<String> },
    /// Somebody answered a mail of ours. The same `key` a second time changes nothing. Island-safe like a text.
    ReceiveMail(ReceiveMail),
}

/// A mail that came in at an address of [`crate::deliveries::ReplySecret`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ReceiveMail {
    /// Stable across tries and nodes: derived from the mail's id and words.
    pub key: [u8; 16],
    pub node: NodeId,
    /// The part before the @ of the address it came to.
    pub to: String,
    /// Whoever wrote it, as the mail says. A hint.
    pub from: String,
    pub subject: String,
    /// What stands above the mail it quotes.
    pub text: String,
    /// A program sent it by itself: never an answer.
    pub automatic: bool,
    /// The receiving node's wall clock, milliseconds, as evidence.
    pub wall_ms: i64,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Receive {
    /// Stable across re-reads: derived by the channel from SIM, sender, service centre stamp and content.
    pub key: [u8; 16],
    pub node: NodeId,
    pub channel: String,
    /// Sender as the network gave it.
    pub from: String,
    pub text: String,
    /// Service centre time stamp, civil milliseconds, as claimed by the network.
    pub sent_at_ms: Option<i64>,
    /// The receiving node's wall clock, milliseconds, as evidence.
    pub wall_ms: i64,
    /// False for a single part of a longer text: only an answer is looked for in it.
    pub whole: bool,
    /// Parts were missing or could not be decoded.
    pub damaged: bool,
    /// No text: somebody called the modem, and was turned down. Never an answer.
    pub call: bool,
}
