//! Commands about followers of rooms.

use serde::{Deserialize, Serialize};

use crate::ids::{RecipientId, RoomId};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Looks at what was said since and tells those whose time has come (loop command). Whoever has nothing new and nothing
    /// due is passed over. Each history does it for itself.
    FollowUp { followers: Vec<Follower> },
}

/// Somebody who follows a room from outside.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Follower {
    pub room: RoomId,
    pub person: RecipientId,
}
