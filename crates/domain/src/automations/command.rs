//! Commands about automations.

use serde::{Deserialize, Serialize};

use crate::ids::AlertId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Looks at the automations of these alerts: their time has come, or answers to them changed (loop command). Again it
    /// changes nothing.
    FollowUp { alerts: Vec<AlertId> },
}
