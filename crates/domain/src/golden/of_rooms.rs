//! Bytes of what is said in rooms, and of roles in an incident.

use crate::alerts::{Act, Command as Alerts, IncidentRole};
use crate::bridge;
use crate::conversations::{
    Command as Rooms, EditFact, Follow, MarkFact, MarkKind, MemberFact, Mention, MoreFact, Opened,
    Pin, PinFact, ReadFact, ReadTo, RoomFact, Say, Settings, Speaker, Standing, TalkFact,
};
use crate::islands::{Command as Islands, Fact};
use crate::{AlertId, Command, MessageId, NodeId, RecipientId, RoomId, Timestamp};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let (room, message, person) = (RoomId([1; 16]), MessageId([2; 16]), RecipientId([3; 16]));
    let by = || Speaker {
        name: "Anna".to_owned(),
        person: Some(person),
    };
    let rooms = |name, command| (name, Command::Conversations(command));
    let role = |name, role, person| {
        let act = Act::Role { role, person };
        let reason = String::new();
        let alert = AlertId([4; 16]);
        (name, Command::Alerts(Alerts::Act { alert, act, reason }))
    };
    vec![
        rooms(
            "conversations.say",
            Rooms::Say(Say {
                room,
                by: by(),
                text: "We close the line, @all".to_owned(),
                mark: Some(MarkKind::Decision),
                unknown: "whether the valve holds".to_owned(),
                restricted: true,
            }),
        ),
        rooms(
            "conversations.edit",
            Rooms::Edit {
                message,
                text: "Gate 5".to_owned(),
                by: by(),
            },
        ),
        rooms(
            "conversations.mark",
            Rooms::Mark {
                message,
                kind: MarkKind::Minutes,
                unknown: String::new(),
                by: by(),
            },
        ),
        rooms(
            "conversations.pin",
            Rooms::Pin {
                message,
                pinned: true,
                by: by(),
            },
        ),
        rooms("conversations.read", Rooms::Read { person, message }),
        rooms(
            "conversations.put_room",
            Rooms::PutRoom {
                key: "ops".to_owned(),
                name: "Operations".to_owned(),
                restricted: false,
                closed: true,
                by: by(),
            },
        ),
        rooms(
            "conversations.put_member",
            Rooms::PutMember {
                room,
                person,
                member: true,
                follow: Follow::Email,
                by: by(),
            },
        ),
        rooms(
            "conversations.follow",
            Rooms::Follow {
                room,
                person,
                follow: Follow::Sms,
                by: by(),
            },
        ),
        (
            "bridge.follow_up",
            Command::Bridge(bridge::Command::FollowUp {
                followers: vec![bridge::Follower { room, person }],
            }),
        ),
        role("alerts.act.role", IncidentRole::Liaison, Some(person)),
        role("alerts.act.role_left", IncidentRole::Leader, None),
        (
            "islands.merge.talk",
            Command::Islands(Islands::Merge {
                origin: NodeId(3),
                facts: facts(room, message, person),
            }),
        ),
    ]
}

fn facts(room: RoomId, message: MessageId, person: RecipientId) -> Vec<Fact> {
    let (at, by) = (Timestamp(7), || "Anna".to_owned());
    [
        TalkFact::Room(RoomFact {
            room,
            key: "ops".to_owned(),
            opened: Opened { at, by: by() },
            settings: Settings {
                at,
                name: "Operations".to_owned(),
                restricted: true,
                closed: false,
                by: by(),
            },
        }),
        TalkFact::Member(MemberFact {
            room,
            person,
            standing: Standing {
                at,
                member: true,
                follow: "sms".to_owned(),
                by: by(),
            },
        }),
        TalkFact::More(MoreFact {
            message,
            room,
            person: Some(person),
            restricted: false,
            mentions: vec![
                Mention::All,
                Mention::Lead,
                Mention::Person("bela".to_owned()),
            ],
        }),
        TalkFact::Edit(EditFact {
            id: [5; 16],
            message,
            at,
            by: by(),
            text: "Gate 5".to_owned(),
        }),
        TalkFact::Mark(MarkFact {
            id: [6; 16],
            message,
            kind: "diary".to_owned(),
            at,
            by: by(),
            text: "Gate 5".to_owned(),
            unknown: String::new(),
            salt: [7; 16],
        }),
        TalkFact::Pin(PinFact {
            message,
            room,
            pin: Pin {
                at,
                pinned: true,
                by: by(),
            },
        }),
        TalkFact::Read(ReadFact {
            room,
            person,
            to: ReadTo { at, message },
        }),
    ]
    .into_iter()
    .map(|fact| Fact::Talk(Box::new(fact)))
    .collect()
}
