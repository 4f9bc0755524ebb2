//! Bytes of what is said of units.

use crate::Command;
use crate::units::Command as Units;

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let key = || "plant-a".to_owned();
    let of = |label, command| (label, Command::Units(command));
    let put = Units::Put {
        key: key(),
        name: "Plant A".to_owned(),
        above: Some("north".to_owned()),
    };
    let place = Units::Place {
        people: vec!["anna".to_owned()],
        unit: Some(key()),
    };
    let limit = Units::Limit {
        account: "anna".to_owned(),
        unit: Some(key()),
    };
    vec![
        of("units.put", put),
        of("units.remove", Units::Remove { key: key() }),
        of("units.place", place),
        of("units.limit", limit),
    ]
}
