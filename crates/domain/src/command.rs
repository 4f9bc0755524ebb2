//! Every command the log can hold. Append-only for ever: bincode knows variants by position, so new ones go to the end
//! and released ones never change (DESIGN A2).

use serde::{Deserialize, Serialize};

use crate::nodes::Disk;
use crate::vocabulary::Severity;

use crate::{
    access, alerts, approvals, audit, automations, bridge, conversations, deliveries, documents,
    escalation, files, inbound, islands, limits, nodes, oncall, passes, permits, recipients,
    reports, requests, setup, sources, templates, units, waking, zones,
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
    Sources(sources::Command),
    Reports(reports::Command),
    Zones(zones::Command),
    Oncall(oncall::Command),
    Templates(templates::Command),
    Limits(limits::Command),
    Approvals(approvals::Command),
    Waking(waking::Command),
    Automations(automations::Command),
    Audit(audit::Command),
    Passes(passes::Command),
    Bridge(bridge::Command),
    Files(files::Command),
    Documents(documents::Command),
    Units(units::Command),
    Permits(permits::Command),
    Setup(setup::Command),
    // Released ones above; this one stays last, so that their places are the same in every build.
    #[cfg(feature = "next-level")]
    Next(crate::next::Command),
}

impl Command {
    /// The feature level that every member must know before this may enter the log (DESIGN A11).
    pub fn level(&self) -> u16 {
        match self {
            Self::Requests(_)
            | Self::Nodes(_)
            | Self::Access(_)
            | Self::Recipients(_)
            | Self::Deliveries(_)
            | Self::Conversations(_)
            | Self::Escalation(_)
            | Self::Alerts(_)
            | Self::Inbound(_)
            | Self::Islands(_)
            | Self::Sources(_)
            | Self::Reports(_)
            | Self::Zones(_)
            | Self::Oncall(_)
            | Self::Templates(_)
            | Self::Limits(_)
            | Self::Approvals(_)
            | Self::Waking(_)
            | Self::Automations(_)
            | Self::Audit(_)
            | Self::Passes(_)
            | Self::Bridge(_)
            | Self::Files(_)
            | Self::Documents(_)
            | Self::Units(_)
            | Self::Permits(_)
            | Self::Setup(_) => 1,
            #[cfg(feature = "next-level")]
            Self::Next(_) => 2,
        }
    }

    /// Whether every replica digests its state right after this (DESIGN A9).
    pub fn marks_digest(&self) -> bool {
        matches!(self, Self::Nodes(nodes::Command::TakeDigest))
    }

    /// Whether a node with this much room may take it (DESIGN §4.6): nearly full, only critical alerts; fuller still,
    /// only what becomes of the alerts there are.
    pub fn fits(&self, disk: Disk) -> bool {
        let adds = match self {
            Self::Alerts(alerts::Command::Raise(raise)) => {
                return match disk {
                    Disk::Unknown | Disk::Ample => true,
                    Disk::CriticalOnly => raise.severity == Severity::Critical,
                    Disk::ResultsOnly => false,
                };
            }
            // Nearly full, a batch with something critical in it is taken whole: what is over must be heard with it.
            Self::Sources(sources::Command::Take { arrivals }) => {
                return match disk {
                    Disk::Unknown | Disk::Ample => true,
                    Disk::CriticalOnly => arrivals.iter().any(sources::Arrival::critical),
                    Disk::ResultsOnly => false,
                };
            }
            Self::Sources(sources::Command::Put { .. } | sources::Command::PutSilence(_))
            | Self::Reports(reports::Command::Take(_))
            | Self::Recipients(
                recipients::Command::PutPeople { .. }
                | recipients::Command::PutGroups { .. }
                | recipients::Command::Import(_),
            )
            | Self::Waking(waking::Command::StartTest(_))
            | Self::Files(files::Command::Announce(_))
            | Self::Documents(documents::Command::Put(_))
            | Self::Units(units::Command::Put { .. })
            | Self::Permits(permits::Command::Ask(_))
            | Self::Access(access::Command::CreateKey(_))
            | Self::Nodes(nodes::Command::IssueInvite { .. })
            | Self::Zones(zones::Command::Install(_))
            | Self::Oncall(
                oncall::Command::Put(_)
                | oncall::Command::PutFixed { .. }
                | oncall::Command::AddOverride { .. }
                | oncall::Command::ProposeSwap { .. }
                | oncall::Command::CreateFeed(_),
            )
            | Self::Templates(
                templates::Command::Put(_) | templates::Command::InstallStarter { .. },
            ) => true,
            Self::Requests(_)
            | Self::Nodes(_)
            | Self::Access(_)
            | Self::Recipients(_)
            | Self::Deliveries(_)
            | Self::Conversations(_)
            | Self::Escalation(_)
            | Self::Alerts(_)
            | Self::Inbound(_)
            | Self::Islands(_)
            | Self::Sources(_)
            | Self::Reports(_)
            | Self::Oncall(_)
            | Self::Templates(_)
            | Self::Limits(_)
            | Self::Approvals(_)
            | Self::Waking(_)
            | Self::Automations(_)
            | Self::Audit(_)
            | Self::Passes(_)
            | Self::Bridge(_)
            | Self::Files(_)
            | Self::Documents(_)
            | Self::Units(_)
            | Self::Permits(_)
            | Self::Setup(_) => false,
            #[cfg(feature = "next-level")]
            Self::Next(_) => false,
        };
        !adds || disk < Disk::ResultsOnly
    }
}
