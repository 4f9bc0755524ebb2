//! Commands about time zones and schedules.

use crate::oncall::{Command as Oncall, ShiftRef};
use crate::zones::WallTime;
use crate::{CivilTime, Command, oncall, zones};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let key = || "network".to_owned();
    let (from, to) = (WallTime(29_900_000), WallTime(29_910_080));
    let fixed = || oncall::FixedShift {
        from,
        to,
        person: "ana".to_owned(),
        uid: "u1".to_owned(),
    };
    let layer = |rotation| oncall::Layer {
        name: "Week".to_owned(),
        rotation,
        start: from,
        until: Some(to),
        turns: vec![vec!["ana".to_owned()], vec!["bela".to_owned()]],
        windows: vec![oncall::Window {
            days: vec![0, 4],
            from: 480,
            to: 960,
        }],
    };
    let schedule = oncall::Schedule {
        key: key(),
        name: "Network".to_owned(),
        zone: "Europe/Helsinki".to_owned(),
        layers: vec![
            layer(oncall::Rotation::Hourly(12)),
            layer(oncall::Rotation::Daily(1)),
            layer(oncall::Rotation::Weekly(1)),
            layer(oncall::Rotation::Custom(vec![5_760, 4_320])),
        ],
        fixed: vec![fixed()],
    };
    let shift = |person: &str| ShiftRef {
        person: person.to_owned(),
        from: CivilTime(1),
        to: CivilTime(2),
    };
    let redirect = |target| oncall::Redirect {
        from,
        to: Some(to),
        target,
        reason: "ill".to_owned(),
    };
    let settle = |verdict| Oncall::SettleSwap {
        schedule: key(),
        number: 3,
        verdict,
    };
    let person = || "bela".to_owned();
    let reason = || "ill".to_owned();
    let feed = |subject| {
        Oncall::CreateFeed(oncall::CreateFeed {
            id: "f1".to_owned(),
            subject,
            secret_hash: [1; 32],
        })
    };
    let install = zones::Install {
        version: "2026a".to_owned(),
        total: 1,
        zones: vec![zones::ZoneFile {
            name: "Europe/Helsinki".to_owned(),
            tzif: vec![1, 2],
        }],
    };
    let order = oncall::Override {
        from,
        to,
        instead: vec![person()],
        of: Some("ana".to_owned()),
        reason: reason(),
    };
    let swap = oncall::Swap {
        give: shift("ana"),
        take: shift("bela"),
        reason: reason(),
    };
    let commands = [
        ("oncall.put", Oncall::Put(schedule)),
        ("oncall.remove", Oncall::Remove { schedule: key() }),
        (
            "oncall.put_fixed",
            Oncall::PutFixed {
                schedule: key(),
                shifts: vec![fixed()],
            },
        ),
        (
            "oncall.add_override",
            Oncall::AddOverride {
                schedule: key(),
                order,
            },
        ),
        (
            "oncall.remove_override",
            Oncall::RemoveOverride {
                schedule: key(),
                number: 3,
            },
        ),
        (
            "oncall.redirect_to_schedule",
            Oncall::Redirect {
                schedule: key(),
                redirect: Some(redirect(oncall::Target::Schedule("power".to_owned()))),
            },
        ),
        (
            "oncall.redirect_to_person",
            Oncall::Redirect {
                schedule: key(),
                redirect: Some(redirect(oncall::Target::Person(person()))),
            },
        ),
        (
            "oncall.redirect_nowhere",
            Oncall::Redirect {
                schedule: key(),
                redirect: None,
            },
        ),
        (
            "oncall.propose_swap",
            Oncall::ProposeSwap {
                schedule: key(),
                swap,
            },
        ),
        (
            "oncall.consent",
            settle(oncall::Verdict::Consent { person: person() }),
        ),
        (
            "oncall.impose",
            settle(oncall::Verdict::Impose { reason: reason() }),
        ),
        (
            "oncall.decline",
            settle(oncall::Verdict::Decline {
                person: person(),
                reason: reason(),
            }),
        ),
        (
            "oncall.create_feed_of_schedule",
            feed(oncall::Subject::Schedule(key())),
        ),
        (
            "oncall.create_feed_of_person",
            feed(oncall::Subject::Person(person())),
        ),
        (
            "oncall.revoke_feed",
            Oncall::RevokeFeed {
                id: "f1".to_owned(),
            },
        ),
    ];
    let zones = Command::Zones(zones::Command::Install(install));
    std::iter::once(("zones.install", zones))
        .chain(commands.map(|(name, command)| (name, Command::Oncall(command))))
        .collect()
}
