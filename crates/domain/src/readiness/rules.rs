//! How facts become scores and reasons. Without SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{About, Grade, Readiness, Reason, Score};
use crate::time::{CivilTime, Timestamp};

/// What was proven longer ago is not known to work any more.
pub const STALE_AFTER: Duration = Duration::from_secs(90 * 24 * 3_600);

/// How far ahead schedules are looked at: 7 days, milliseconds.
pub const AHEAD_MS: i64 = 7 * 24 * 3_600_000;

/// Schedules looked at in one go.
pub const SCHEDULES_MAX: u32 = 200;

/// A gap that begins this soon is red, milliseconds.
const GAP_SOON_MS: i64 = 48 * 3_600_000;

/// Names named in one reason.
const NAMED_MAX: usize = 5;

/// One way to reach somebody.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// `sms` or `email`.
    pub(super) kind: String,
    pub(super) address: String,
    /// The last try at it failed.
    pub(super) failed: bool,
    /// Why no text goes there; empty: texts do.
    pub(super) barred: String,
    /// When it was last known to work: a check, an answer, the network's word.
    pub(super) proven_at: Option<Timestamp>,
}

/// Somebody with every way to them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) sites: Vec<String>,
    pub(super) ways: Vec<Way>,
}

/// What a node hangs on, by kind.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) reachable: bool,
    /// A modem that is up, and a mail path that is.
    pub(super) sms_up: bool,
    pub(super) mail_up: bool,
    /// `provider`, `operator`, `feed`, `hypervisor` and what it is.
    pub(super) hangs_on: Vec<(&'static str, String)>,
}

/// A schedule's times without anybody, and who is on call in the rest.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) gaps: Vec<(CivilTime, CivilTime)>,
    /// Its plan cannot be worked out that far.
    pub(super) too_much: bool,
    /// Keys of those on call in the time looked at.
    pub(super) people: BTreeSet<String>,
}

/// A group with the keys of those in it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) people: Vec<String>,
}

/// The domain of a mail address.
pub(super) fn domain_of(address: &str) -> Option<String> {
    let (_, domain) = address.rsplit_once('@')?;
    Some(domain.to_ascii_lowercase())
}

/// Domains that more than half of all mail addresses of one's own people are under: their mail goes with the
/// organisation's own IT.
pub(super) fn own_domains<'a>(addresses: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for domain in addresses.filter_map(domain_of) {
        all += 1;
        *count.entry(domain).or_default() += 1;
    }
    // One address is nobody's habit.
    let own = count.into_iter().filter(|(_, of)| *of > 1 && of * 2 > all);
    own.map(|(domain, _)| domain).collect()
}

/// How ready a person is to be reached.
pub(super) fn person(person: &Person, own_domains: &[String], now: Timestamp) -> Score {
    let mut reasons = Vec::new();
    let mut score: u8 = 100;
    let mut add = |grade, lost: u8, what: String, to_do: &str| {
        score = score.saturating_sub(lost);
        reasons.push(Reason {
            grade,
            what,
            to_do: to_do.to_owned(),
        });
    };
    for way in &person.ways {
        if !way.barred.is_empty() {
            let what = format!("{}: {}", way.address, way.barred);
            add(
                Grade::Amber,
                10,
                what,
                "give another number, or take its beginning off the list",
            );
        } else if way.failed {
            let what = format!("{} did not work when it was last tried", way.address);
            add(Grade::Amber, 15, what, "correct it, then check it again");
        }
    }
    let works = |way: &&Way| way.barred.is_empty() && !way.failed;
    let outside = |way: &&Way| match way.kind.as_str() {
        "email" => domain_of(&way.address).is_none_or(|domain| !own_domains.contains(&domain)),
        _ => true,
    };
    let working: Vec<&Way> = person.ways.iter().filter(works).collect();
    let independent: Vec<&Way> = working.iter().copied().filter(outside).collect();
    // Two mailboxes outside are two devices as little as two windows of one.
    let by_sms = independent.iter().filter(|way| way.kind == "sms").count();
    let by_mail = independent.iter().any(|way| way.kind == "email");
    let ways = by_sms + usize::from(by_mail);
    let add_way =
        "add a second number on another device, or a mail address outside the organisation";
    match (working.len(), ways) {
        (0, _) => add(
            Grade::Red,
            100,
            "no way to reach them works".to_owned(),
            "add a phone number",
        ),
        (_, 0) => add(
            Grade::Red,
            60,
            "reached only by the organisation's own mail, which goes when its IT does".to_owned(),
            "add a phone number",
        ),
        (_, 1) => add(
            Grade::Amber,
            30,
            "reached in one way only".to_owned(),
            add_way,
        ),
        (_, _) => {}
    }
    let proven = working.iter().filter_map(|way| way.proven_at).max();
    let check = "send a contact check: holdfast directory check";
    match proven {
        _ if working.is_empty() => {}
        None => add(
            Grade::Amber,
            25,
            "nothing ever proved that a way to them works".to_owned(),
            check,
        ),
        Some(at) if now.since(at) > STALE_AFTER => {
            let days = now.since(at).as_secs() / 86_400;
            let what = format!("no way to them was proven for {days} days");
            add(Grade::Amber, 15, what, check);
        }
        Some(_) => {}
    }
    reasons.sort();
    Score {
        about: About::Person(person.key.clone()),
        name: person.name.clone(),
        score,
        reasons,
    }
}

/// How ready a set of people is: the mean of its people, nothing if there are none, and who of them pulls it down.
pub(super) fn set_of(about: About, name: String, people: &[&Score]) -> Score {
    let mut reasons = Vec::new();
    if people.is_empty() {
        reasons.push(Reason {
            grade: Grade::Red,
            what: "nobody is in it".to_owned(),
            to_do: "add people, or remove it from what names it".to_owned(),
        });
    }
    let red = |score: &&&Score| score.reasons.first().is_some_and(|r| r.grade == Grade::Red);
    let amber = |score: &&&Score| {
        score
            .reasons
            .first()
            .is_some_and(|r| r.grade == Grade::Amber)
    };
    let cannot: Vec<&str> = people.iter().filter(red).map(|s| s.name.as_str()).collect();
    let doubtful: Vec<&str> = people
        .iter()
        .filter(amber)
        .map(|s| s.name.as_str())
        .collect();
    if !cannot.is_empty() {
        reasons.push(Reason {
            // One of many is not the end; half of them is.
            grade: if cannot.len() * 2 >= people.len() {
                Grade::Red
            } else {
                Grade::Amber
            },
            what: format!(
                "{} of {} cannot be counted on: {}",
                cannot.len(),
                people.len(),
                listed(&cannot)
            ),
            to_do: "see each of them".to_owned(),
        });
    }
    if !doubtful.is_empty() {
        reasons.push(Reason {
            grade: Grade::Amber,
            what: format!(
                "{} of {} have something to put right: {}",
                doubtful.len(),
                people.len(),
                listed(&doubtful)
            ),
            to_do: "see each of them".to_owned(),
        });
    }
    reasons.sort();
    Score {
        about,
        name,
        score: mean(people.iter().map(|score| score.score)).unwrap_or(0),
        reasons,
    }
}

/// How ready a schedule is: whoever is on call ahead, and when nobody is.
pub(super) fn schedule(schedule: &Schedule, people: &[&Score], now: CivilTime) -> Score {
    let about = About::Schedule(schedule.key.clone());
    let mut score = set_of(about, schedule.name.clone(), people);
    if people.is_empty() {
        score.reasons.clear();
    }
    if schedule.too_much {
        score.score = score.score.min(50);
        score.reasons.push(Reason {
            grade: Grade::Amber,
            what: "changes too often to be worked out a week ahead".to_owned(),
            to_do: "give its layers longer turns".to_owned(),
        });
    }
    for (from, to) in schedule.gaps.iter().take(NAMED_MAX) {
        let soon = from.0.saturating_sub(now.0) <= GAP_SOON_MS;
        score.score = score.score.min(if soon { 0 } else { 50 });
        score.reasons.push(Reason {
            grade: if soon { Grade::Red } else { Grade::Amber },
            what: format!(
                "nobody is on call from {} until {}",
                from.to_rfc3339(),
                to.to_rfc3339()
            ),
            to_do: "put somebody on call with an override".to_owned(),
        });
    }
    score.reasons.sort();
    score
}

/// How ready the nodes are: what two of them hang on fails for both.
pub(super) fn nodes(nodes: &[Node]) -> Vec<Score> {
    let mut shared: BTreeMap<(&'static str, String), Vec<&str>> = BTreeMap::new();
    for node in nodes {
        for (what, name) in &node.hangs_on {
            if !name.is_empty() {
                let key = (*what, name.to_lowercase());
                shared.entry(key).or_default().push(&node.name);
            }
        }
    }
    nodes
        .iter()
        .map(|node| {
            let mut reasons = Vec::new();
            let mut score: u8 = 100;
            let mut add = |grade, lost: u8, what: String, to_do: &str| {
                score = score.saturating_sub(lost);
                reasons.push(Reason {
                    grade,
                    what,
                    to_do: to_do.to_owned(),
                });
            };
            if !node.reachable {
                let what = "the others do not hear it".to_owned();
                add(Grade::Red, 100, what, "check its power and network");
            }
            if !node.sms_up {
                let what = "it has no modem that is up".to_owned();
                add(Grade::Red, 60, what, "check antenna, SIM and modem");
            }
            if !node.mail_up {
                let what = "it has no mail path that is up".to_owned();
                add(Grade::Amber, 10, what, "check its smarthost");
            }
            for (what, name) in &node.hangs_on {
                if name.is_empty() {
                    let said = format!("nobody said on which {what} it hangs");
                    let to_do = format!("say it in its settings: [site] {what}");
                    add(Grade::Amber, 5, said, &to_do);
                    continue;
                }
                let others: Vec<&str> = shared
                    .get(&(*what, name.to_lowercase()))
                    .into_iter()
                    .flatten()
                    .copied()
                    .filter(|other| *other != node.name)
                    .collect();
                if !others.is_empty() {
                    let said = format!("it shares its {what} ({name}) with {}", listed(&others));
                    add(Grade::Red, 40, said, "move one of them to another");
                }
            }
            reasons.sort();
            Score {
                about: About::Node(node.name.clone()),
                name: node.name.clone(),
                score,
                reasons,
            }
        })
        .collect()
}

/// All of it together.
pub(super) fn readiness(
    mut scores: Vec<Score>,
    own_domains: Vec<String>,
    left_out: u64,
) -> Readiness {
    let mut kinds = Vec::new();
    for kind in ["node", "schedule", "site", "group", "person"] {
        let of_kind = scores.iter().filter(|score| score.about.kind() == kind);
        if let Some(mean) = mean(of_kind.map(|score| score.score)) {
            kinds.push((kind, mean));
        }
    }
    let worst = |score: &Score| {
        score
            .reasons
            .first()
            .map_or(2, |reason| match reason.grade {
                Grade::Red => 0,
                Grade::Amber => 1,
            })
    };
    scores.sort_by(|a, b| (worst(a), a.score, &a.about).cmp(&(worst(b), b.score, &b.about)));
    Readiness {
        score: kinds.iter().map(|(_, mean)| *mean).min().unwrap_or(0),
        kinds,
        own_domains,
        left_out,
        scores,
    }
}

/// `Anna, Bela and 3 more`.
fn listed(names: &[&str]) -> String {
    let first = names[..names.len().min(NAMED_MAX)].join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn mean(scores: impl Iterator<Item = u8>) -> Option<u8> {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for score in scores {
        sum += u64::from(score);
        count += 1;
    }
    let mean = sum.checked_div(count)?;
    u8::try_from(mean).ok()
}
