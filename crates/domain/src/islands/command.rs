//! Commands about islands.

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::ids::NodeId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Joins what an island did, by each fact's law. Applying it again, or in another order, changes nothing. Bounded:
    /// see [`super::batches`].
    Merge {
        /// The node whose island it was.
        origin: NodeId,
        facts: Vec<Fact>,
    },
}
