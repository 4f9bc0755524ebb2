//! Commands about remembered requests.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Forgets outcomes of requests applied before `before`. Kept at least 35 days of cluster time (DESIGN A7).
    Prune { before: Timestamp },
}
