//! Commands by which an open alert moves on. All by the scheduler on the leader; each names the state it was decided
//! in, so that a repeated or late one changes nothing.

use serde::{Deserialize, Serialize};

use crate::ids::AlertId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Owes the people of one page of a started step their deliveries. Only the next page is taken (DESIGN A4).
    ExpandPage { alert: AlertId, page: u32 },
    /// Starts the next step, because too few answered.
    Advance { alert: AlertId, step: u16 },
    /// Pages those who have not answered once more, with the same codes.
    Repeat { alert: AlertId, round: u16 },
    /// Notes that an alert at the end of its plan is still open, and when it is looked at again.
    Review { alert: AlertId, round: u16 },
    /// Owes one page of those who were or may have been told their call-off.
    ExpandCallOff { alert: AlertId, page: u32 },
    /// Reminds and asks those called whose time has come, as many as fit into one entry. Again it finds nothing due.
    Tend { alert: AlertId },
}
