//! Decisions about islands without SQL.

use super::Fact;
use crate::codec;
use crate::outcome::Refusal;
use crate::{Command, alerts, audit, inbound, nodes, passes, sources};

/// Most facts in one merge.
pub const FACTS_MAX: usize = 256;

/// Most bytes of facts in one merge, unless a single one is larger: an alert that names many people.
pub const BYTES_MAX: usize = 256 * 1024;

/// Cuts facts into merges within the bounds, in order.
pub fn batches(facts: Vec<Fact>) -> Vec<Vec<Fact>> {
    let mut all: Vec<Vec<Fact>> = Vec::new();
    let mut bytes = 0;
    for fact in facts {
        // Something that cannot be encoded never got into a journal.
        let size = codec::encode(&fact).map_or(0, |encoded| encoded.len());
        match all.last_mut() {
            Some(batch) if batch.len() < FACTS_MAX && bytes + size <= BYTES_MAX => {
                bytes += size;
                batch.push(fact);
            }
            Some(_) | None => {
                bytes = size;
                all.push(vec![fact]);
            }
        }
    }
    all
}

/// Whether a node that is cut off may do this by itself. What it may not is refused at once, with what can be done.
///
/// Safe is what has a merge law (DESIGN D3) and what only its own copy sees: its loops' commands, its channels' health.
pub fn safe(command: &Command) -> Result<(), Refusal> {
    let refused = |instead: &str| Err(Refusal::NotOnIsland(instead.to_owned()));
    match command {
        Command::Alerts(
            alerts::Command::Raise(_)
            | alerts::Command::Answer { .. }
            | alerts::Command::Acknowledge { .. }
            | alerts::Command::Resolve { .. }
            | alerts::Command::CallOff { .. }
            | alerts::Command::Join { .. }
            | alerts::Command::Act { .. }
            | alerts::Command::Mark { .. }
            | alerts::Command::HandOver { .. },
        )
        | Command::Automations(_)
        | Command::Bridge(_)
        | Command::Audit(audit::Command::Note { .. })
        | Command::Conversations(_)
        | Command::Inbound(
            inbound::Command::Receive(_)
            | inbound::Command::ReceiveMail(_)
            | inbound::Command::Replay { .. },
        )
        | Command::Deliveries(_)
        | Command::Escalation(_)
        | Command::Islands(_)
        | Command::Requests(_)
        | Command::Nodes(
            nodes::Command::ReportChannels { .. }
            | nodes::Command::ReportMachine(_)
            | nodes::Command::SetReachable { .. },
        ) => Ok(()),
        #[cfg(feature = "next-level")]
        Command::Next(_) => refused("the next version's command waits until it is back"),
        Command::Sources(
            sources::Command::Take { .. }
            | sources::Command::FollowUp { .. }
            | sources::Command::StopAll { .. }
            | sources::Command::Resume,
        ) => Ok(()),
        Command::Sources(
            sources::Command::Put { .. }
            | sources::Command::Remove { .. }
            | sources::Command::SetToken { .. }
            | sources::Command::PutSilence(_)
            | sources::Command::EndSilence { .. }
            | sources::Command::Set(_)
            | sources::Command::Redirect { .. },
        ) => refused(
            "sources and silences cannot be changed here until it is back; signals are taken as usual. Change them at a \
             node that hears the others, or hold everything automatic here with `holdfast source stop-all`",
        ),
        Command::Audit(_) => refused(
            "the audit is signed, and what it says of people erased, at a node that hears the others",
        ),
        Command::Documents(_) => refused(
            "documents cannot be changed here until it is back; those known here can be read. Change them at a node that \
             hears the others",
        ),
        Command::Permits(_) => refused(
            "what takes two administrators waits until it is back; whoever stands at this node needs nobody else",
        ),
        Command::Setup(_) => refused("setup is finished at a node that hears the others"),
        Command::Units(_) => refused(
            "units, and who belongs to them, cannot be changed here until it is back; they stand as they were",
        ),
        Command::Files(_) => refused(
            "files are not taken here until it is back, since no other disk could hold them. Say in words what is on it, \
             or send it through a node that hears the others",
        ),
        Command::Reports(_) => refused(
            "reports are not taken here until it is back, since what is decided about one could not be joined. Raise an \
             alert instead, or report at a node that hears the others",
        ),
        Command::Inbound(inbound::Command::SetCommanders { .. }) => refused(
            "who may order by text cannot be changed here until it is back; those who could before still can",
        ),
        Command::Recipients(_) => refused(
            "people and groups cannot be changed here until it is back; alerts to those known here leave as usual. \
             Change them at a node that hears the others",
        ),
        Command::Oncall(_) => refused(
            "schedules cannot be changed here until it is back; who is on call by the plan as it was is still told. \
             To reach somebody else, name the person",
        ),
        Command::Zones(_) => {
            refused("rules of time zones are installed at a node that hears the others")
        }
        Command::Templates(_) => refused(
            "templates cannot be changed here until it is back; alerts from those known here can be raised. Change \
             them at a node that hears the others",
        ),
        Command::Limits(_) => refused(
            "limits cannot be changed here until it is back; what waits for a second person elsewhere does not wait here. \
             Change them at a node that hears the others",
        ),
        Command::Approvals(_) => refused(
            "what waits for a second person is decided at a node that hears the others. If it cannot wait, raise it anew \
             here: on a node that is cut off it goes at once and is reviewed after",
        ),
        Command::Waking(_) => refused(
            "tests of phones and modems wait until it is back: what came of them could not be joined. Alerts ring phones \
             here as usual",
        ),
        Command::Access(_) => refused(
            "API keys cannot be made or revoked here until it is back. Use a key that exists, or this node's local socket",
        ),
        Command::Passes(passes::Command::OpenByCard(_)) => refused(
            "a break-glass card counts once, and only all nodes together can use it up: it is good again as soon as a majority \
             answers. Until then whoever stands at this node can do everything with `holdfast` there; whoever is signed in \
             stays so",
        ),
        Command::Passes(_) => refused(
            "codes and invitations wait until it is back: what is used once can be used up only by all. Whoever is signed \
             in stays so",
        ),
        Command::Nodes(_) => refused(
            "members cannot be admitted, removed or changed here. Do it at a node that hears the others; if the majority is \
             gone for good, see `holdfast cluster recover`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversations::MessageFact;
    use crate::{MessageId, RoomId, Timestamp};

    #[test]
    fn facts_travel_in_bounded_batches_and_a_large_one_alone() {
        let message = |n: u16, len: usize| {
            Fact::Message(MessageFact {
                message: MessageId::derive(&[&n.to_be_bytes()]),
                room: RoomId::DUTY_INBOX,
                author: String::new(),
                via: "sms".to_owned(),
                text: "x".repeat(len),
                at: Timestamp(0),
            })
        };
        let small: Vec<Fact> = (0..600).map(|n| message(n, 10)).collect();
        let cut: Vec<usize> = batches(small).iter().map(Vec::len).collect();
        assert_eq!(cut, [256, 256, 88]);
        let large = vec![message(1, 10), message(2, BYTES_MAX), message(3, 10)];
        let cut: Vec<usize> = batches(large).iter().map(Vec::len).collect();
        assert_eq!(cut, [1, 1, 1]);
        assert_eq!(batches(Vec::new()), Vec::<Vec<Fact>>::new());
    }
}
