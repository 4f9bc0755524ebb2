//! Bytes of what takes two.

use crate::Command;
use crate::permits::{Ask, Command as Permits};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let of = |label, command| (label, Command::Permits(command));
    let ask = Ask {
        method: "PUT".to_owned(),
        path: "/v1/budgets/cluster".to_owned(),
        body: "{}".to_owned(),
        name: "Anna Virtanen".to_owned(),
        reason: "a long night".to_owned(),
    };
    vec![
        of("permits.ask", Permits::Ask(ask)),
        of("permits.let", Permits::Let { number: 3 }),
        of("permits.drop", Permits::Drop { number: 3 }),
        of("permits.use", Permits::Use { digest: [5; 32] }),
    ]
}
