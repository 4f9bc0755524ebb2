//! Commands about rooms.

use serde::{Deserialize, Serialize};

use crate::ids::RoomId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a message to a room.
    Post {
        room: RoomId,
        author: String,
        text: String,
    },
}
