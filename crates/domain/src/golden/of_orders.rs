//! Commands about orders by text.

use crate::{Command, inbound};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    vec![(
        "inbound.set_commanders",
        Command::Inbound(inbound::Command::SetCommanders {
            whom: vec!["group:duty".to_owned(), "schedule:net".to_owned()],
        }),
    )]
}
