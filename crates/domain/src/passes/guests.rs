//! People from outside in one alert's room: a contractor, the fire brigade's officer, a neighbour's duty engineer.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::apply::{invite, not_now, ready_for};
use super::{AddGuest, Addressee};
use crate::access::accounts::{self, GuestRow};
use crate::alerts;
use crate::apply::Entry;
use crate::conversations;
use crate::ids::RoomId;
use crate::nodes;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::phone::PhoneNumber;
use crate::recipients::{self, ContactMethod};
use crate::texts::{self, Language};

/// How long a guest stays when nobody says so.
pub const GUEST_TIME: Duration = Duration::from_secs(24 * 3_600);

/// The longest a guest stays.
pub const GUEST_TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Guests in one room at once.
pub const GUESTS_MAX: usize = 20;

/// Stands behind a guest's name, wherever it is shown.
pub const GUEST_MARK: &str = " (guest)";

const NAME_LEN_MAX: usize = 60;

pub(super) async fn add(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &AddGuest,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let valid = Duration::from_millis(new.valid_ms);
    let number = match check(conn, new, valid).await? {
        Ok(number) => number,
        Err(problem) => return Ok(Err(Refusal::Invalid(problem))),
    };
    let Some(alert) = alerts::find(conn, new.alert).await? else {
        return Ok(Err(Refusal::UnknownAlert));
    };
    if alert.state != alerts::State::Open {
        return Ok(Err(Refusal::AlertClosed));
    }
    let room = RoomId::of_alert(new.alert);
    let there = accounts::guests(conn, room).await?;
    let live = there.iter().filter(|account| account.lets_in(entry.at));
    if live.count() >= GUESTS_MAX {
        let text = format!("there are {GUESTS_MAX} guests in this room; end one of them first");
        return Ok(Err(not_now(&text)));
    }
    let shown = format!("{}{GUEST_MARK}", texts::clean(&new.name));
    let language = Language::of_number(&number);
    let to = Addressee {
        person: None,
        name: shown.clone(),
        language,
        number: number.clone(),
    };
    let ready = match ready_for(conn, entry, &new.account, to).await? {
        Ok(ready) => ready,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let by = entry.envelope.actor.label();
    let guest = GuestRow {
        room,
        number,
        added_at: entry.at,
        added_by: by.clone(),
        expires_at: entry.at + valid,
        ended_at: None,
        ended_by: String::new(),
    };
    if !accounts::add_guest(conn, entry, (&new.account, &shown), &guest).await? {
        return Ok(Err(not_now("there is an account of this name already")));
    }
    let organisation = nodes::organisation(conn).await?;
    let body = texts::guest(language, &organisation, &new.name, &alert.label);
    let invited = invite(conn, entry, (&new.account, body), &ready).await?;
    let hours = valid.as_secs().div_ceil(3_600);
    let said = format!("{shown} was let into this room for {hours} h by {by}");
    conversations::post(conn, entry, room, "Holdfast", "system", &said).await?;
    Ok(invited)
}

/// The number as rows hold it, or what is wrong with the guest.
async fn check(
    conn: &mut SqliteConnection,
    new: &AddGuest,
    valid: Duration,
) -> Result<Result<String, String>, sqlx::Error> {
    let tail = new.account.strip_prefix("guest-").unwrap_or_default();
    if tail.is_empty() || !accounts::is_name(&new.account) {
        return Ok(Err("a guest's account begins with guest-".to_owned()));
    }
    let name = texts::clean(&new.name);
    if name.is_empty() || name.chars().count() > NAME_LEN_MAX {
        return Ok(Err(format!(
            "a guest's name has 1 to {NAME_LEN_MAX} characters"
        )));
    }
    if valid.is_zero() || valid > GUEST_TIME_MAX {
        return Ok(Err("a guest stays for up to 7 days".to_owned()));
    }
    let number = match PhoneNumber::parse(&new.number) {
        Ok(number) => number.as_str().to_owned(),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let prefixes = recipients::prefixes(conn).await?;
    let checked = recipients::check_prefix(&prefixes, &ContactMethod::Sms(number.clone()));
    Ok(checked.map(|()| number))
}

pub(super) async fn end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    account: &str,
) -> Result<Outcome, sqlx::Error> {
    let known = accounts::account(conn, account).await?;
    let guest = known.and_then(|known| known.guest.map(|guest| (guest.room, known.shown)));
    let Some((room, shown)) = guest else {
        let text = "there is no such guest";
        return Ok(Outcome::Refused(Refusal::NoSuch(text.to_owned())));
    };
    if !accounts::end_guest(conn, entry, account).await? {
        return Ok(Outcome::Unchanged);
    }
    let by = entry.envelope.actor.label();
    let said = format!("{shown} was shown out of this room by {by}");
    conversations::post(conn, entry, room, "Holdfast", "system", &said).await?;
    Ok(Outcome::Applied(Receipt::None))
}
