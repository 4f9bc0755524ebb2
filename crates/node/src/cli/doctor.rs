//! `holdfast doctor`: one pass over what would stop this node from alerting, each with its cure.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::ports::Clock as _;
use domain::{CivilTime, Timestamp};
use rustix::fs::{Mode, OFlags, statvfs};
use rustix::termios::isatty;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Context;
use crate::config::{self, Config};
use crate::output::{Done, Exit, Failure, each};
use crate::run::backups::Records;
use crate::run::clock::SystemClock;
use crate::run::data_dir;
use crate::run::disk::{CRITICAL_ONLY_BELOW, RESULTS_ONLY_BELOW};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Before this was written no clock can have been right: 2026-01-01T00:00:00Z.
const CLOCK_MIN_MS: i64 = 1_767_225_600_000;

/// Flushes measured.
const FLUSHES: usize = 100;

/// A restore that was not practised for so long is a hope.
const DRILL_HOURS_MAX: u64 = 183 * 24;

struct Check {
    what: String,
    /// What is wrong and what to do; empty when all is well.
    problem: String,
}

pub(super) async fn doctor(context: &Context) -> Done {
    let mut checks = Vec::new();
    let loaded = config::load(context.config_path().as_deref());
    let settings = loaded
        .as_ref()
        .map_or_else(ToString::to_string, |_| String::new());
    checks.push(Check {
        what: "settings".to_owned(),
        problem: settings,
    });
    if let Ok(loaded) = &loaded {
        checks.extend(look(&loaded.config).await);
        checks.extend(check_profile(context, &loaded.config).await);
    }
    let broken = checks.iter().filter(|c| !c.problem.is_empty()).count();
    let list: Vec<_> = checks
        .iter()
        .map(|c| json!({ "what": c.what, "ok": c.problem.is_empty(), "problem": c.problem }))
        .collect();
    context
        .output
        .data(&json!({ "ok": broken == 0, "checks": list }), || {
            let row = |c: &Check| {
                vec![
                    if c.problem.is_empty() { "ok" } else { "BAD" }.to_owned(),
                    c.what.clone(),
                    c.problem.clone(),
                ]
            };
            context.output.table(
                &["", "what", "what to do"],
                &checks.iter().map(row).collect::<Vec<_>>(),
            )
        });
    if broken == 0 {
        return Ok(());
    }
    let text = if broken == 1 {
        "one thing needs attention".to_owned()
    } else {
        format!("{broken} things need attention")
    };
    Err(Failure::new(Exit::Failure, text).reported(context.output.json))
}

async fn look(config: &Config) -> Vec<Check> {
    let mut checks = vec![
        check_data_dir(&config.node.data_dir),
        check_disk(&config.node.data_dir),
        check_clock(),
        check_watch(config),
    ];
    for modem in &config.modems {
        checks.push(Check {
            what: format!("modem {}", modem.name),
            problem: open_port(&modem.device),
        });
    }
    for smarthost in &config.smarthosts {
        let address = (smarthost.host.as_str(), smarthost.port);
        let problem = match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => String::new(),
            Ok(Err(error)) => format!(
                "cannot connect to {}:{}: {error}",
                smarthost.host, smarthost.port
            ),
            Err(_) => format!(
                "{}:{} does not answer; check firewall and routing",
                smarthost.host, smarthost.port
            ),
        };
        checks.push(Check {
            what: format!("smarthost {}", smarthost.name),
            problem,
        });
    }
    if config.backup.folder.is_some() || !config.backup.recipients.is_empty() {
        checks.push(check_backup(config));
    }
    if config.modems.is_empty() && config.smarthosts.is_empty() {
        let problem =
            "no modem and no smarthost is configured; this node can reach nobody".to_owned();
        checks.push(Check {
            what: "channels".to_owned(),
            problem,
        });
    }
    checks
}

/// Whether the cluster's timing fits the round trips this node measures and the speed of its disk.
async fn check_profile(context: &Context, config: &Config) -> Vec<Check> {
    let dir = config.node.data_dir.clone();
    if !dir.exists() {
        return Vec::new(); // made by `init` or `join`
    }
    let fsync = match tokio::task::spawn_blocking(move || fsync_p99(&dir)).await {
        Ok(Ok(fsync)) => fsync,
        Ok(Err(error)) => {
            return vec![Check {
                what: "disk flushes".to_owned(),
                problem: format!("cannot write and flush in the data directory: {error}"),
            }];
        }
        Err(_) => return Vec::new(),
    };
    // A node that does not run has no peers to measure; then only the disk can be judged.
    let cluster = match context.client() {
        Ok(client) => client.get("/v1/cluster").await.unwrap_or(Value::Null),
        Err(_) => Value::Null,
    };
    let slowest = each(&cluster["paths"])
        .filter(|path| path["state"] == "best")
        .filter_map(|path| Some((path["rtt_p99_us"].as_u64()?, path["peer"].as_u64()?)))
        .max();
    let rtt = slowest.map_or(Duration::ZERO, |(us, _)| Duration::from_micros(us));
    let measured = match slowest {
        Some((_, peer)) => format!(
            "worst round trip {} ms (to n{peer}), disk flush {} ms, both the 99th of a hundred",
            tenths(rtt),
            tenths(fsync)
        ),
        None => format!("disk flush {} ms; no peer to measure", tenths(fsync)),
    };
    let used = config.cluster.profile.timing();
    let problem = match cluster::Profile::fitting(rtt, fsync) {
        None => {
            "not even the slowest profile fits; look for a better path or a faster disk".to_owned()
        }
        Some(fits) if fits.timing().heartbeat > used.timing().heartbeat => format!(
            "set profile = {:?} in [cluster], the same on all nodes; {} would have leaders deposed without need",
            fits.name(),
            used.name()
        ),
        Some(_) => String::new(),
    };
    let faster = cluster::Profile::fitting(rtt, fsync)
        .filter(|fits| slowest.is_some() && fits.timing().heartbeat < used.timing().heartbeat)
        .map(|fits| {
            format!(
                "; {} would fit here and find a new leader sooner",
                fits.name()
            )
        });
    vec![Check {
        what: format!(
            "profile {}: {measured}{}",
            used.name(),
            faster.unwrap_or_default()
        ),
        problem,
    }]
}

/// How long a small flush takes, but for the slowest one in a hundred.
fn fsync_p99(dir: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(dir)?;
    let mut took = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        file.write_all(&[0; 4_096])?;
        let began = Instant::now();
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort();
    Ok(took[FLUSHES * 99 / 100 - 1])
}

fn tenths(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000.0)
}

/// Backups that are set up: old, failing, or never practised.
fn check_backup(config: &Config) -> Check {
    let records = Records::read(&config.node.data_dir);
    let now = SystemClock.wall();
    let hours = |at_ms: i64| now.since(Timestamp(at_ms)).as_secs() / 3_600;
    let problem = match (&records.made, &records.drill) {
        _ if !records.problem.is_empty() => format!("the last one failed: {}", records.problem),
        (None, _) => "none was made yet; make one with `holdfast backup create`".to_owned(),
        (Some(made), _) if hours(made.at_ms) > u64::from(config.backup.every_h) * 2 => format!(
            "the newest is {} h old; look at {}",
            hours(made.at_ms),
            made.path.display()
        ),
        (Some(_), None) => {
            "none was ever restored; practise with `holdfast backup drill`".to_owned()
        }
        (Some(_), Some(drill)) if !drill.ok => format!("the last drill failed: {}", drill.result),
        (Some(_), Some(drill)) if hours(drill.at_ms) > DRILL_HOURS_MAX => {
            "the last drill is half a year old; practise with `holdfast backup drill`".to_owned()
        }
        (Some(_), Some(_)) => String::new(),
    };
    Check {
        what: "backup".to_owned(),
        problem,
    }
}

fn check_data_dir(path: &Path) -> Check {
    let problem = match data_dir::check(path) {
        Err(_) if !path.exists() => String::new(), // made by `init` or `join`
        Err(error) => error.to_string(),
        Ok(()) => String::new(),
    };
    Check {
        what: "data directory".to_owned(),
        problem,
    }
}

fn check_disk(path: &Path) -> Check {
    let existing = path
        .ancestors()
        .find(|p| p.exists())
        .unwrap_or(Path::new("/"));
    let problem = match statvfs(existing) {
        Ok(stat) => match stat.f_bavail.saturating_mul(stat.f_frsize) {
            free if free < RESULTS_ONLY_BELOW => format!(
                "{} MB free; below {} MB no new alerts are taken: make room",
                free >> 20,
                RESULTS_ONLY_BELOW >> 20
            ),
            free if free < CRITICAL_ONLY_BELOW => format!(
                "{} MB free; below {} MB only critical alerts are taken: make room",
                free >> 20,
                CRITICAL_ONLY_BELOW >> 20
            ),
            _ => String::new(),
        },
        Err(error) => format!("cannot look at {}: {error}", existing.display()),
    };
    Check {
        what: "disk".to_owned(),
        problem,
    }
}

fn check_clock() -> Check {
    let wall = SystemClock.wall();
    let problem = if wall.0 < CLOCK_MIN_MS {
        format!(
            "the clock says {}; alerting works, but evidence will carry wrong times: set it",
            CivilTime(wall.0).to_rfc3339()
        )
    } else {
        String::new()
    };
    Check {
        what: "clock".to_owned(),
        problem,
    }
}

/// Somebody must hear of it when the cluster itself is in trouble.
fn check_watch(config: &Config) -> Check {
    let problem = match config.watch.duty {
        Some(_) => String::new(),
        None => "nobody is told when Holdfast itself is in trouble; name a group as duty in [watch], on all nodes".to_owned(),
    };
    Check {
        what: "watch".to_owned(),
        problem,
    }
}

/// Opens a modem's port and closes it again. Says nothing to it: the node may be talking to it now.
fn open_port(device: &Path) -> String {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(device, flags, Mode::empty()) {
        Ok(port) if !isatty(&port) => format!("{} is not a serial port", device.display()),
        Ok(_) => String::new(),
        Err(error) => format!(
            "cannot open {}: {error}; is it plugged in, and is this user in the group that owns it?",
            device.display()
        ),
    }
}
