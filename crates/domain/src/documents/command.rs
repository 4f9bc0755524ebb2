//! Commands about documents.

use serde::{Deserialize, Serialize};

use crate::conversations::Speaker;
use crate::ids::FileId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Puts a document, or changes everything about it.
    Put(Put),
    /// Takes a document out; its file stays in its room.
    Remove { key: String, by: Speaker },
}

/// A document as it is to be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Put {
    pub key: String,
    pub title: String,
    /// A file that was put into a room.
    pub file: FileId,
    /// Key of the person who answers for it; empty: nobody does yet.
    pub owner: String,
    /// By when somebody has to look at it again: days since 1970-01-01.
    pub review_by: Option<i64>,
    /// Keys of the templates of its scenarios.
    pub templates: Vec<String>,
    /// Phones keep it for when no node answers.
    pub kit: bool,
    pub by: Speaker,
}
