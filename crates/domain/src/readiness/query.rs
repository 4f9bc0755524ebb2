//! Gathers the facts: a handful of statements, however many people there are.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, SqliteConnection};

use super::rules::{self, AHEAD_MS, Group, Node, Person, SCHEDULES_MAX, Schedule, Way};
use super::{About, Readiness, Score};
use crate::ids::RecipientId;
use crate::recipients::{self, ContactMethod, Named};
use crate::time::{CivilTime, Timestamp};
use crate::{nodes, oncall, rows};

/// How ready everything is at `now`.
pub async fn look(conn: &mut SqliteConnection, now: Timestamp) -> Result<Readiness, sqlx::Error> {
    let (people, own_domains) = people(conn).await?;
    let by_key: BTreeMap<&str, Score> = people
        .iter()
        .map(|person| {
            (
                person.key.as_str(),
                rules::person(person, &own_domains, now),
            )
        })
        .collect();
    let of = |keys: &mut dyn Iterator<Item = &str>| -> Vec<&Score> {
        keys.filter_map(|key| by_key.get(key)).collect()
    };
    let mut scores = rules::nodes(&nodes_of(conn).await?);
    let civil_now = nodes::civil(conn).await?.at(now);
    let (schedules, left_out) = schedules(conn, civil_now, &by_key).await?;
    for schedule in &schedules {
        let on_call = of(&mut schedule.people.iter().map(String::as_str));
        scores.push(rules::schedule(schedule, &on_call, civil_now));
    }
    let mut sites: BTreeMap<&str, Vec<&Score>> = BTreeMap::new();
    for person in &people {
        for site in &person.sites {
            sites
                .entry(site)
                .or_default()
                .extend(by_key.get(person.key.as_str()));
        }
    }
    for (site, of_site) in sites {
        let about = About::Site(site.to_owned());
        scores.push(rules::set_of(about, site.to_owned(), &of_site));
    }
    let keys: BTreeMap<RecipientId, &str> = people
        .iter()
        .map(|person| (RecipientId::of_key(&person.key), person.key.as_str()))
        .collect();
    for group in groups(conn, &keys).await? {
        let members = of(&mut group.people.iter().map(String::as_str));
        scores.push(rules::set_of(About::Group(group.key), group.name, &members));
    }
    scores.extend(by_key.into_values());
    Ok(rules::readiness(scores, own_domains, left_out))
}

async fn people(conn: &mut SqliteConnection) -> Result<(Vec<Person>, Vec<String>), sqlx::Error> {
    let prefixes = recipients::prefixes(conn).await?;
    let found = sqlx::query(
        "select m.recipient_id, m.kind, m.address, m.found, m.found_at_ms, m.delivered_at_ms, p.kind as person_kind \
         from contact_method m join person p on p.recipient_id = m.recipient_id where p.removed_at_ms is null \
         order by m.recipient_id, m.position",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut ways: BTreeMap<Vec<u8>, Vec<Way>> = BTreeMap::new();
    let mut own_mail = Vec::new();
    for row in &found {
        let (kind, address): (String, String) = (row.try_get("kind")?, row.try_get("address")?);
        let method = match kind.as_str() {
            "email" => ContactMethod::Email(address.clone()),
            _ => ContactMethod::Sms(address.clone()),
        };
        if kind == "email" && row.try_get::<&str, _>("person_kind")? == "internal" {
            own_mail.push(address.clone());
        }
        let found: &str = row.try_get("found")?;
        let found_at = rows::time_opt(row, "found_at_ms")?;
        let way = Way {
            failed: found == "failed",
            barred: recipients::check_prefix(&prefixes, &method)
                .err()
                .unwrap_or_default(),
            proven_at: found_at
                .filter(|_| found == "verified")
                .max(rows::time_opt(row, "delivered_at_ms")?),
            kind,
            address,
        };
        ways.entry(row.try_get("recipient_id")?)
            .or_default()
            .push(way);
    }
    let found = sqlx::query(
        "select recipient_id, key, name, sites from person where removed_at_ms is null order by key",
    )
    .fetch_all(conn)
    .await?;
    let people: Result<Vec<Person>, sqlx::Error> = found
        .iter()
        .map(|row| {
            let id: Vec<u8> = row.try_get("recipient_id")?;
            Ok(Person {
                key: row.try_get("key")?,
                name: row.try_get("name")?,
                sites: rows::json(row, "sites")?,
                ways: ways.remove(&id).unwrap_or_default(),
            })
        })
        .collect();
    let own_domains = rules::own_domains(own_mail.iter().map(String::as_str));
    Ok((people?, own_domains))
}

async fn nodes_of(conn: &mut SqliteConnection) -> Result<Vec<Node>, sqlx::Error> {
    let machines = nodes::machines(conn).await?;
    let channels = nodes::channels(conn).await?;
    let members = nodes::nodes(conn).await?;
    let members = members.into_iter().filter(|node| node.removed_at.is_none());
    Ok(members
        .map(|member| {
            let place = machines
                .iter()
                .find(|machine| machine.node == member.node)
                .map(|machine| machine.place.clone())
                .unwrap_or_default();
            let own = || {
                channels
                    .iter()
                    .filter(|channel| channel.node == member.node)
            };
            // The modem knows its network better than the settings do.
            let network =
                own().find(|channel| channel.kind == "sms" && !channel.operator.is_empty());
            let operator = network.map_or(place.operator, |channel| channel.operator.clone());
            let up = |kind: &str| own().any(|channel| channel.kind == kind && channel.up);
            Node {
                name: member.name,
                reachable: member.reachable,
                sms_up: up("sms"),
                mail_up: up("email"),
                hangs_on: vec![
                    ("provider", place.provider),
                    ("operator", operator),
                    ("feed", place.feed),
                    ("hypervisor", place.hypervisor),
                ],
            }
        })
        .collect())
}

/// Schedules by key, and how many more there are than are looked at.
async fn schedules(
    conn: &mut SqliteConnection,
    now: CivilTime,
    known: &BTreeMap<&str, Score>,
) -> Result<(Vec<Schedule>, u64), sqlx::Error> {
    let all: i64 = sqlx::query_scalar("select count(*) from schedule")
        .fetch_one(&mut *conn)
        .await?;
    let rows = oncall::schedules(conn, "", SCHEDULES_MAX).await?;
    let left_out = all.cast_unsigned().saturating_sub(rows.len() as u64);
    if rows.is_empty() {
        return Ok((Vec::new(), left_out));
    }
    let until = CivilTime(now.0.saturating_add(AHEAD_MS));
    let plan = oncall::plan_of_all(conn, now, until).await?;
    let schedules = rows.into_iter().map(|row| {
        let key = row.schedule.key;
        let mut found = Schedule {
            name: row.schedule.name,
            gaps: Vec::new(),
            too_much: false,
            people: BTreeSet::new(),
            key,
        };
        let Ok(segments) = plan.segments(&found.key, now, until) else {
            found.too_much = true;
            return found;
        };
        found.gaps = oncall::gaps(&segments, |person| known.contains_key(person));
        let duties = segments.into_iter().flat_map(|s| s.on_call.duties);
        found.people = duties.map(|duty| duty.person).collect();
        found
    });
    Ok((schedules.collect(), left_out))
}

async fn groups(
    conn: &mut SqliteConnection,
    keys: &BTreeMap<RecipientId, &str>,
) -> Result<Vec<Group>, sqlx::Error> {
    let found: Vec<(String, String)> =
        sqlx::query_as("select key, name from person_group order by key")
            .fetch_all(&mut *conn)
            .await?;
    let mut groups = Vec::with_capacity(found.len());
    for (key, name) in found {
        let named = [Named::Group(key.clone())];
        let people = recipients::resolve(conn, &named).await?.unwrap_or_default();
        groups.push(Group {
            key,
            name,
            people: people
                .iter()
                .filter_map(|id| keys.get(id).map(|key| (*key).to_owned()))
                .collect(),
        });
    }
    Ok(groups)
}
