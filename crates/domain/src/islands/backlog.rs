//! What waited so long that nobody should get it one by one: after an island, or when channels come back (PRODUCT L-22).

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::SqliteConnection;

use crate::deliveries::{Command, Summary, Untold, many_untold, superseded, untold};
use crate::ids::{AlertId, RecipientId};
use crate::texts::{self, Language};
use crate::time::Timestamp;
use crate::vocabulary::Severity;
use crate::{alerts, nodes};

/// A page that waited this long says nothing a later round of the same alert does not say better.
pub const SUPERSEDED_AFTER: Duration = Duration::from_secs(60);

/// Most pages looked at in one go.
const LOOKED_AT_MAX: u32 = 2_000;

/// Most pages one command ends.
const BATCH: u32 = 200;

/// How long a page of this severity may wait and still be sent by itself. The less urgent it is, the sooner it is only
/// noise. Critical ones are always sent, once for each alert.
fn patience(severity: Severity) -> Duration {
    Duration::from_secs(match severity {
        Severity::Critical => u64::MAX / 1_000,
        Severity::High => 30 * 60,
        Severity::Normal => 15 * 60,
        Severity::Low => 10 * 60,
    })
}

/// The commands that shorten what has piled up: of several rounds the last, of several alerts one summary a person. At
/// most `people` summaries; none while no channel could take it. After a look a moment ago (`lately`), a pile too large
/// to be looked through each time is left alone.
pub async fn backlog(
    conn: &mut SqliteConnection,
    now: Timestamp,
    people: usize,
    lately: bool,
) -> Result<Vec<Command>, sqlx::Error> {
    let usable: Vec<String> = nodes::channels(conn)
        .await?
        .into_iter()
        .filter(|channel| channel.usable)
        .map(|channel| channel.kind)
        .collect();
    if usable.is_empty() {
        return Ok(Vec::new());
    }
    let soonest = now - patience(Severity::Low);
    if lately && many_untold(conn, soonest, LOOKED_AT_MAX).await? {
        return Ok(Vec::new());
    }
    let repeated = superseded(conn, now - SUPERSEDED_AFTER, BATCH).await?;
    if !repeated.is_empty() {
        // The last round takes over since when the person waits; what is stale is seen at the next look.
        return Ok(vec![Command::Supersede {
            deliveries: repeated,
        }]);
    }
    let mut commands = Vec::new();
    let waiting = untold(conn, soonest, LOOKED_AT_MAX).await?;
    let mut of_person: BTreeMap<RecipientId, Vec<Untold>> = BTreeMap::new();
    for page in waiting {
        of_person.entry(page.recipient).or_default().push(page);
    }
    let mut known = BTreeMap::new();
    for (recipient, pages) in of_person {
        if commands.len() >= people {
            break;
        }
        let summary = summary(conn, now, recipient, &pages, &usable, &mut known).await?;
        commands.extend(summary.map(Command::Summarise));
    }
    Ok(commands)
}

/// An alert as a summary names it.
#[derive(Clone)]
struct Named {
    label: String,
    text: Vec<(String, String)>,
    severity: Severity,
    raised_at: Timestamp,
    open: bool,
}

async fn summary(
    conn: &mut SqliteConnection,
    now: Timestamp,
    recipient: RecipientId,
    pages: &[Untold],
    usable: &[String],
    known: &mut BTreeMap<AlertId, Named>,
) -> Result<Option<Summary>, sqlx::Error> {
    let mut stale: Vec<(&Untold, Named)> = Vec::new();
    for page in pages {
        let named = named(conn, page.alert, known).await?;
        if let Some(named) = named
            && named.open
            && page.wanted_since <= now - patience(named.severity)
        {
            stale.push((page, named));
        }
    }
    let mut alerts: BTreeMap<AlertId, (&Untold, &Named)> = BTreeMap::new();
    for (page, named) in &stale {
        alerts.entry(page.alert).or_insert((page, named));
    }
    // One that can still be sent by itself says more than a summary of one.
    if alerts.len() < 2 && !stale.iter().any(|(page, _)| page.expired) {
        return Ok(None);
    }
    let place = stale
        .iter()
        .map(|(page, _)| *page)
        .filter(|page| usable.contains(&page.kind))
        .min_by_key(|page| (page.kind != "sms", page.method));
    let Some(place) = place else { return Ok(None) };
    let language = Language::parse(&place.language);
    let mut newest: Vec<_> = alerts.values().copied().collect();
    newest.sort_by_key(|(page, named)| (std::cmp::Reverse(named.raised_at), page.alert));
    let Some((_, first)) = newest.first().copied() else {
        return Ok(None);
    };
    let own = first.text.iter().find(|(tag, _)| tag == language.tag());
    let text = own.or(first.text.first()).map_or("", |(_, text)| text);
    let open: Vec<String> = newest
        .iter()
        .map(|(page, named)| format!("{} ({})", named.label, page.code))
        .collect();
    let organisation = nodes::organisation(conn).await?;
    let count = alerts.len() as u64;
    let body = texts::backlog(language, &organisation, count, (&first.label, text), &open);
    Ok(Some(Summary {
        recipient,
        kind: place.kind.clone(),
        address: place.address.clone(),
        language: place.language.clone(),
        subject: if place.kind == "email" {
            format!("{organisation}: {count}")
        } else {
            String::new()
        },
        body,
        deliveries: stale.iter().map(|(page, _)| page.delivery).collect(),
    }))
}

async fn named(
    conn: &mut SqliteConnection,
    alert: AlertId,
    known: &mut BTreeMap<AlertId, Named>,
) -> Result<Option<Named>, sqlx::Error> {
    if let Some(named) = known.get(&alert) {
        return Ok(Some(named.clone()));
    }
    let Some(row) = alerts::find(conn, alert).await? else {
        return Ok(None);
    };
    let named = Named {
        label: row.label,
        text: row.texts,
        severity: row.severity,
        raised_at: row.raised_at,
        open: row.state == alerts::State::Open,
    };
    known.insert(alert, named.clone());
    Ok(Some(named))
}
