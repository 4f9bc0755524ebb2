//! Every command the log can hold. Append-only for ever: bincode knows variants by position, so new ones go to the end
//! and released ones never change (DESIGN A2).

use serde::{Deserialize, Serialize};

use crate::{
    access, alerts, conversations, deliveries, escalation, inbound, islands, nodes, recipients,
    requests,
};

/// One slice's command. The order of variants is fixed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    Requests(requests::Command),
    Nodes(nodes::Command),
    Access(access::Command),
    Recipients(recipients::Command),
    Deliveries(deliveries::Command),
    Conversations(conversations::Command),
    Escalation(escalation::Command),
    Alerts(alerts::Command),
    Inbound(inbound::Command),
    Islands(islands::Command),
}
