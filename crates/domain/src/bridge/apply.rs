//! Writes to `room_follower` and `room_digest`, and owes the digests.

use sqlx::SqliteConnection;

use super::query;
use super::rules::{self, Held, KEPT, PERSON_HOUR_MAX, ROOM_HOUR_MAX, Standing};
use super::{Command, FOLLOWERS_MAX, Follower};
use crate::alerts::{self, AlertRow};
use crate::apply::Entry;
use crate::conversations::{self, Follow, MemberRow, MessageRow, RoomRow};
use crate::deliveries::{self, Lane, Update};
use crate::ids::{AlertId, DeliveryId};
use crate::nodes;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients::{self, ContactMethod, PersonRow};
use crate::texts::{self, Digest, DigestLine, Language, Worded};
use crate::vocabulary::IncidentRole;

/// Messages one look takes in; more are seen with the next.
const SEEN_MAX: u32 = 200;

/// Messages one digest may show; those before are only counted.
const TOLD_MAX: u32 = 200;

/// Who ends it when the room of an alert stops being followed.
const ENDED_BY: &str = "Holdfast";

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let Command::FollowUp { followers } = command;
    if followers.len() > FOLLOWERS_MAX {
        let problem = format!("at most {FOLLOWERS_MAX} followers are looked at together");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let mut changed = 0;
    for who in followers {
        changed += u64::from(follow_up(conn, entry, who).await?);
    }
    Ok(match changed {
        0 => Outcome::Unchanged,
        changed => Outcome::Applied(Receipt::Count(changed)),
    })
}

/// Somebody and the room they follow.
struct Following<'a> {
    who: &'a Follower,
    by: Follow,
    person: PersonRow,
    /// Set in the room of an alert.
    alert: Option<AlertRow>,
    /// Set in an everyday room.
    room: Option<RoomRow>,
    /// The person leads the incident.
    leads: bool,
}

async fn follow_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    who: &Follower,
) -> Result<bool, sqlx::Error> {
    let member = conversations::member(conn, who.room, who.person).await?;
    let Some(member) = member.filter(|member| member.follow != Follow::App) else {
        return Ok(false);
    };
    let alert = alerts::find(conn, AlertId(who.room.0)).await?;
    if rules::ends(alert.as_ref()).is_some_and(|ends| ends <= entry.at) {
        let place = (who.room, who.person);
        let ended = conversations::set_follow(conn, entry, place, Follow::App, ENDED_BY).await?;
        return Ok(ended.unwrap_or(false));
    }
    let before = query::standing(conn, who).await?;
    let mut now = begin(conn, who, &member, before.as_ref()).await?;
    let people = recipients::by_ids(conn, &[who.person]).await?;
    if let Some(person) = people.into_iter().next() {
        let following = Following {
            who,
            by: member.follow,
            leads: leads(conn, alert.as_ref(), who).await?,
            person,
            room: conversations::room(conn, who.room).await?,
            alert,
        };
        following.look(conn, entry, &mut now).await?;
        if now.due.is_some_and(|due| due <= entry.at) {
            following.tell(conn, entry, &mut now).await?;
        }
    } else {
        // Removed, and still named in the room.
        let newest = conversations::newest(conn, who.room).await?;
        now.told_to(newest.map_or(now.seen, |(sequence, _)| sequence));
    }
    if before.as_ref() == Some(&now) {
        return Ok(false);
    }
    keep(conn, who, &now).await?;
    Ok(true)
}

/// Where a follower stands, anew when they began to follow since: what was said before is not told.
async fn begin(
    conn: &mut SqliteConnection,
    who: &Follower,
    member: &MemberRow,
    before: Option<&Standing>,
) -> Result<Standing, sqlx::Error> {
    match before {
        Some(before) if before.since == member.since => Ok(before.clone()),
        Some(_) | None => {
            let said = query::last_before(conn, who.room, member.since).await?;
            let told = before.map_or(0, |before| before.told);
            Ok(Standing::new(member.since, said.max(told)))
        }
    }
}

async fn leads(
    conn: &mut SqliteConnection,
    alert: Option<&AlertRow>,
    who: &Follower,
) -> Result<bool, sqlx::Error> {
    let Some(alert) = alert else { return Ok(false) };
    let roles = alerts::roles(conn, alert.id).await?;
    Ok(roles
        .iter()
        .any(|held| held.role == IncidentRole::Leader && held.person == who.person))
}

impl Following<'_> {
    /// Takes in what was said since the last look.
    async fn look(
        &self,
        conn: &mut SqliteConnection,
        entry: &Entry<'_>,
        now: &mut Standing,
    ) -> Result<(), sqlx::Error> {
        let period = rules::period(self.alert.as_ref().map(|alert| alert.severity));
        let said = conversations::messages(conn, self.who.room, now.seen, SEEN_MAX).await?;
        for message in &said {
            let own = rules::is_own(message, self.person.id);
            let calls = self.calls(message);
            now.see(message.sequence, own, calls, entry.at, period);
        }
        Ok(())
    }

    fn calls(&self, message: &MessageRow) -> bool {
        rules::calls(message, &self.person.key, self.leads)
    }

    /// Owes the digest that is due, or notes why it has to wait.
    async fn tell(
        &self,
        conn: &mut SqliteConnection,
        entry: &Entry<'_>,
        now: &mut Standing,
    ) -> Result<(), sqlx::Error> {
        let (to_person, from_room) = query::lately(conn, self.who, entry.at).await?;
        let full = [
            (Held::Person, rules::full_until(&to_person, PERSON_HOUR_MAX)),
            (Held::Room, rules::full_until(&from_room, ROOM_HOUR_MAX)),
        ];
        for (held, until) in full {
            if let Some(until) = until {
                now.held = held;
                now.due = Some(until);
                return Ok(());
            }
        }
        let Some(method) = self.method(conn).await? else {
            now.held = Held::Unreachable;
            now.due = None;
            return Ok(());
        };
        let after = now.told.max(now.seen.saturating_sub(u64::from(TOLD_MAX)));
        let said = conversations::messages(conn, self.who.room, after, TOLD_MAX).await?;
        let said: Vec<&MessageRow> = said
            .iter()
            .filter(|message| message.sequence <= now.seen)
            .filter(|message| !rules::is_own(message, self.person.id))
            .collect();
        if !said.is_empty() {
            let last = to_person.len() + 1 >= PERSON_HOUR_MAX as usize;
            let worded = self.worded(conn, &said, (now.waiting, last)).await?;
            let id = self.owe(conn, entry, method, &worded).await?;
            let told = (worded.shown, now.waiting.saturating_sub(worded.shown));
            note(conn, entry, self.who, id, told).await?;
        }
        now.told_to(now.seen);
        Ok(())
    }

    /// The first contact method of the kind they follow by that may be used.
    async fn method(
        &self,
        conn: &mut SqliteConnection,
    ) -> Result<Option<&ContactMethod>, sqlx::Error> {
        let prefixes = recipients::prefixes(conn).await?;
        Ok(self.person.methods.iter().find(|method| {
            method.kind() == self.by.name() && recipients::check_prefix(&prefixes, method).is_ok()
        }))
    }

    /// The digest of these messages, the last of those that wait; `last`: the person gets no more within the hour.
    async fn worded(
        &self,
        conn: &mut SqliteConnection,
        said: &[&MessageRow],
        (waiting, last): (u64, bool),
    ) -> Result<Worded, sqlx::Error> {
        let all_restricted = self.room.as_ref().is_some_and(|room| room.restricted);
        let lines: Vec<DigestLine> = said
            .iter()
            .filter(|message| !message.restricted && !all_restricted)
            .map(|message| DigestLine {
                author: message.author.clone(),
                text: message.text.clone(),
                calls: self.calls(message),
            })
            .collect();
        let organisation = nodes::organisation(conn).await?;
        let digest = Digest {
            organisation: &organisation,
            room: &self.name(),
            earlier: waiting.saturating_sub(said.len() as u64),
            restricted: (said.len() - lines.len()) as u64,
            lines: &lines,
            last,
        };
        let language = Language::parse(&self.person.language);
        Ok(match self.by {
            Follow::Email => texts::digest_mail(language, &digest),
            Follow::Sms | Follow::App => texts::digest(language, &digest),
        })
    }

    /// What people call the room.
    fn name(&self) -> String {
        match (&self.alert, &self.room) {
            (Some(alert), _) => alert.label.clone(),
            (None, Some(room)) => room.key.clone(),
            (None, None) => self.who.room.to_string(),
        }
    }

    async fn owe(
        &self,
        conn: &mut SqliteConnection,
        entry: &Entry<'_>,
        method: &ContactMethod,
        worded: &Worded,
    ) -> Result<DeliveryId, sqlx::Error> {
        let digest = Update {
            alert: self.alert.as_ref().map(|alert| alert.id),
            recipient: Some(self.person.id),
            kind: method.kind(),
            address: method.address().to_owned(),
            language: Language::parse(&self.person.language).tag(),
            lane: Lane::Talk,
            critical: false,
            code: String::new(),
            subject: worded.subject.clone(),
            body: worded.body.clone(),
        };
        deliveries::digest(conn, entry, &digest).await
    }
}

/// Notes what leaves, and forgets what left too long ago for anybody to ask about it.
async fn note(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    who: &Follower,
    delivery: DeliveryId,
    (shown, left_out): (u64, u64),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into room_digest (delivery_id, room_id, recipient_id, at_ms, shown, left_out) values (?, ?, ?, ?, ?, ?) \
         on conflict (delivery_id) do nothing",
    )
    .bind(delivery.as_bytes())
    .bind(who.room.as_bytes())
    .bind(who.person.as_bytes())
    .bind(entry.at.0)
    .bind(shown.cast_signed())
    .bind(left_out.cast_signed())
    .execute(&mut *conn)
    .await?;
    sqlx::query("delete from room_digest where at_ms <= ?")
        .bind((entry.at - KEPT).0)
        .execute(conn)
        .await?;
    Ok(())
}

async fn keep(
    conn: &mut SqliteConnection,
    who: &Follower,
    now: &Standing,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into room_follower (room_id, recipient_id, since_ms, told, seen, waiting, due_at_ms, held) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (room_id, recipient_id) do update \
         set since_ms = ?3, told = ?4, seen = ?5, waiting = ?6, due_at_ms = ?7, held = ?8",
    )
    .bind(who.room.as_bytes())
    .bind(who.person.as_bytes())
    .bind(now.since.0)
    .bind(now.told.cast_signed())
    .bind(now.seen.cast_signed())
    .bind(now.waiting.cast_signed())
    .bind(now.due.map(|due| due.0))
    .bind(now.held.name())
    .execute(conn)
    .await?;
    Ok(())
}
