//! What changed, in the words of those who look at it: which parts of what people see each command may touch, and a
//! short memory of it, so that a screen reads anew only what is out of date.
//!
//! Nothing here is replicated. A topic says "look again", never what is to be seen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::{Scope, accounts};
use crate::{Command, access, files, nodes, passes};

/// How many changes a node remembers. Whoever was away for longer reads everything anew.
const MEMORY_LEN: usize = 4_096;

/// A part of what people see.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Topic {
    /// Alerts, who was called to them, answers, acts, alerts that wait for a second person.
    Alerts,
    /// Texts and mails on their way.
    Deliveries,
    /// What is said in rooms.
    Rooms,
    /// Reports from outside.
    Reports,
    /// People and groups.
    People,
    /// Schedules and who is on call.
    Duty,
    Templates,
    Sources,
    /// Nodes, channels, machines, the outbox.
    Cluster,
    /// Budgets and when a second person must agree.
    Limits,
    /// What somebody was allowed may be over: everyone who listens shows again who they are.
    Access,
}

impl Topic {
    pub const ALL: [Self; 11] = [
        Self::Alerts,
        Self::Deliveries,
        Self::Rooms,
        Self::Reports,
        Self::People,
        Self::Duty,
        Self::Templates,
        Self::Sources,
        Self::Cluster,
        Self::Limits,
        Self::Access,
    ];

    /// The name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Deliveries => "deliveries",
            Self::Rooms => "rooms",
            Self::Reports => "reports",
            Self::People => "people",
            Self::Duty => "duty",
            Self::Templates => "templates",
            Self::Sources => "sources",
            Self::Cluster => "cluster",
            Self::Limits => "limits",
            Self::Access => "access",
        }
    }

    /// Who may know that something of it changed; `None`: everyone who may listen at all.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::Alerts | Self::Deliveries | Self::Reports => Some(Scope::AlertRead),
            Self::Rooms => Some(Scope::RoomRead),
            Self::People | Self::Duty => Some(Scope::PeopleRead),
            Self::Templates => Some(Scope::TemplateRead),
            Self::Sources => Some(Scope::SourceRead),
            Self::Cluster | Self::Limits => Some(Scope::ClusterRead),
            Self::Access => None,
        }
    }
}

/// Some of the topics.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Topics(u16);

impl Topics {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self((1 << Topic::ALL.len()) - 1);

    pub fn of(topics: &[Topic]) -> Self {
        Self(
            topics
                .iter()
                .fold(0, |bits, topic| bits | (1 << *topic as u16)),
        )
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u16) != 0
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub fn kept(self, keep: impl Fn(Topic) -> bool) -> Self {
        Self::of(&self.iter().filter(|topic| keep(*topic)).collect::<Vec<_>>())
    }

    pub fn iter(self) -> impl Iterator<Item = Topic> {
        Topic::ALL
            .into_iter()
            .filter(move |topic| self.contains(*topic))
    }
}

/// What applying a command may change: one row for each slice, so that a new one cannot be forgotten.
pub fn touched(command: &Command) -> Topics {
    use Topic::{
        Access, Alerts, Cluster, Deliveries, Duty, Limits, People, Reports, Rooms, Sources,
        Templates,
    };
    let topics: &[Topic] = match command {
        Command::Requests(_) => &[],
        Command::Nodes(nodes::Command::TakeDigest) => &[],
        Command::Nodes(_) => &[Cluster],
        Command::Access(
            access::Command::CreateKey(_)
            | access::Command::Accounts(
                accounts::Command::Touch { .. }
                | accounts::Command::TryPassword { .. }
                | accounts::Command::TryCode { .. }
                | accounts::Command::BeginAttempt { .. }
                | accounts::Command::TryProof { .. }
                | accounts::Command::Prove { .. }
                | accounts::Command::Look { .. }
                | accounts::Command::ResealTotp { .. },
            ),
        )
        | Command::Audit(_)
        | Command::Passes(
            passes::Command::SendCode { .. } | passes::Command::SendInvitation { .. },
        ) => &[],
        Command::Passes(passes::Command::AskNumber(_) | passes::Command::VouchNumber { .. }) => {
            &[People, Deliveries]
        }
        Command::Passes(
            passes::Command::MakeCard { .. }
            | passes::Command::ConfirmCard { .. }
            | passes::Command::EndCard { .. },
        ) => &[Access],
        Command::Passes(passes::Command::OpenByCard(_)) => &[Access, Deliveries],
        Command::Passes(_) => &[Rooms, Access],
        Command::Access(_) => &[Access],
        Command::Recipients(_) => &[People, Duty],
        Command::Deliveries(_) => &[Deliveries],
        Command::Conversations(_) => &[Rooms],
        Command::Bridge(_) => &[Rooms, Deliveries],
        Command::Files(files::Command::Announce(_) | files::Command::Expire { .. }) => &[],
        Command::Files(_) => &[Rooms],
        Command::Escalation(_) => &[Alerts, Deliveries, Rooms],
        Command::Alerts(_) | Command::Approvals(_) | Command::Automations(_) => {
            &[Alerts, Deliveries, Rooms, Limits]
        }
        // A text may be an answer, an order, a report or a word in a room.
        Command::Inbound(_) => &[Alerts, Deliveries, Rooms, Reports, People],
        Command::Islands(_) => return Topics::ALL,
        Command::Sources(_) => &[Sources, Alerts, Deliveries, Rooms],
        Command::Reports(_) => &[Reports, Alerts, Rooms],
        Command::Zones(_) | Command::Oncall(_) => &[Duty],
        Command::Templates(_) | Command::Documents(_) => &[Templates],
        Command::Limits(_) => &[Limits],
        Command::Units(_) => &[People, Access],
        Command::Permits(_) | Command::Setup(_) => &[Access],
        Command::Waking(_) => &[People, Deliveries, Cluster],
        #[cfg(feature = "next-level")]
        Command::Next(_) => &[],
    };
    Topics::of(topics)
}

/// What changed on this node lately. Cheap to clone; all clones are one memory.
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// Changes so far; each has the number it made this.
    count: u64,
    /// The newest ones.
    recent: VecDeque<Topics>,
}

impl Feed {
    /// Remembers a change. Call it when it can be read, before those who wait are woken.
    pub fn note(&self, topics: Topics) {
        if topics.is_empty() {
            return;
        }
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.recent.len() == MEMORY_LEN {
            memory.recent.pop_front();
        }
        memory.recent.push_back(topics);
        memory.count += 1;
    }

    /// The number of the newest change.
    pub fn newest(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// What changed after change `after`, and the number of the newest; everything when that is too long ago.
    pub fn since(&self, after: u64) -> (u64, Topics) {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = match memory.count.checked_sub(after) {
            Some(missed) => usize::try_from(missed).unwrap_or(usize::MAX),
            None => return (memory.count, Topics::ALL),
        };
        if missed > memory.recent.len() {
            return (memory.count, Topics::ALL);
        }
        let topics = memory.recent.iter().rev().take(missed);
        let topics = topics.fold(Topics::NONE, |all, topics| all.and(*topics));
        (memory.count, topics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_all_is_all() {
        let names: std::collections::BTreeSet<_> =
            Topic::ALL.iter().map(|topic| topic.name()).collect();
        assert_eq!(names.len(), Topic::ALL.len());
        assert_eq!(Topics::ALL.iter().count(), Topic::ALL.len());
        assert_eq!(Topics::of(&Topic::ALL), Topics::ALL);
    }

    #[test]
    fn a_reader_hears_once_of_what_it_missed_and_of_everything_when_it_was_away_too_long() {
        let feed = Feed::default();
        let start = feed.newest();
        feed.note(Topics::of(&[Topic::Alerts]));
        feed.note(Topics::NONE);
        feed.note(Topics::of(&[Topic::Rooms]));
        let (newest, topics) = feed.since(start);
        assert_eq!(topics, Topics::of(&[Topic::Alerts, Topic::Rooms]));
        assert_eq!(feed.since(newest), (newest, Topics::NONE));
        for _ in 0..MEMORY_LEN {
            feed.note(Topics::of(&[Topic::Cluster]));
        }
        assert_eq!(feed.since(newest).1, Topics::of(&[Topic::Cluster]));
        assert_eq!(feed.since(start).1, Topics::ALL);
        assert_eq!(
            feed.since(u64::MAX).1,
            Topics::ALL,
            "a number of another process"
        );
    }

    #[test]
    fn what_only_marks_a_place_in_the_log_wakes_nobody() {
        assert!(touched(&Command::Nodes(nodes::Command::TakeDigest)).is_empty());
        let post = crate::conversations::Command::Post {
            room: crate::RoomId::DUTY_INBOX,
            author: "anna".to_owned(),
            text: "here".to_owned(),
        };
        assert_eq!(
            touched(&Command::Conversations(post)),
            Topics::of(&[Topic::Rooms])
        );
    }
}
