//! Commands about what wakes people.

use crate::{Command, NodeId, RecipientId, Timestamp, waking};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let due = vec![
        waking::Due::Unplanned { node: NodeId(1) },
        waking::Due::Trip {
            node: NodeId(2),
            at: Timestamp(3),
        },
        waking::Due::Card,
        waking::Due::Test { number: 4 },
    ];
    let test = waking::Test {
        people: vec![RecipientId([5; 16])],
        in_ms: 6,
        valid_ms: 7,
    };
    vec![
        (
            "waking.follow_up",
            Command::Waking(waking::Command::FollowUp { due }),
        ),
        (
            "waking.start_trips",
            Command::Waking(waking::Command::StartTrips {
                node: Some(NodeId(1)),
            }),
        ),
        (
            "waking.set_spares",
            Command::Waking(waking::Command::SetSpares {
                numbers: vec!["+358500000009".to_owned()],
            }),
        ),
        (
            "waking.start_test",
            Command::Waking(waking::Command::StartTest(test)),
        ),
        (
            "waking.call_off_test",
            Command::Waking(waking::Command::CallOffTest { number: 1 }),
        ),
    ]
}
