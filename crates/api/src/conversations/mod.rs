//! Rooms over HTTP: those of alerts, everyday ones, and the duty inbox.

mod chain;
mod files;
mod followers;
mod messages;
mod rooms;

use domain::conversations::{self, Speaker};
use domain::ports::Freshness;
use domain::{AlertId, MessageId, RecipientId, RoomId, recipients};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::files::{FileDesk, FileJson, give, shown as shown_files};
use crate::alerts;
use crate::input::Order;
use crate::problem::{Kind, Problem, of_query};
use crate::reading;
use crate::state::Shared;

/// The room of texts that belong to no alert.
const INBOX: &str = "inbox";

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(rooms::list))
        .routes(routes!(rooms::show, rooms::put))
        .routes(routes!(rooms::put_member, rooms::remove_member))
        .routes(routes!(followers::follow, followers::unfollow))
        .routes(routes!(rooms::read))
        .routes(routes!(messages::list, messages::post))
        .routes(routes!(messages::edit))
        .routes(routes!(messages::mark))
        .routes(routes!(messages::pin))
        .routes(routes!(files::list, files::announce))
        .routes(routes!(files::show, files::remove))
        .routes(routes!(files::bytes, files::put))
        .routes(routes!(chain::chain))
        .routes(routes!(chain::verify))
}

/// The room meant by a path: `inbox`, an everyday room's key, or an alert's id or number.
pub(crate) async fn find(shared: &Shared, room: &str) -> Result<RoomId, Problem> {
    if room == INBOX {
        return Ok(RoomId::DUTY_INBOX);
    }
    if conversations::check_key(room).is_err() {
        return alerts::find(shared, room).await.map(RoomId::of_alert);
    }
    // It may have been opened at another node a moment ago.
    for freshness in [Freshness::Local, Freshness::Linearizable] {
        let mut view = reading::open(shared, freshness).await?;
        let found = conversations::room_by_key(&mut view, room).await;
        if let Some(found) = found.map_err(of_query)? {
            return Ok(found.id);
        }
    }
    Err(Problem::not_found(
        "there is no such room; name it by its key, by the number of its alert, or say `inbox`",
    ))
}

/// Whether a room is one of a person's own: they were called to its alert, or added to it by name.
pub(crate) async fn is_own(
    shared: &Shared,
    room: &str,
    person: RecipientId,
) -> Result<bool, Problem> {
    let room = find(shared, room).await?;
    if room == RoomId::DUTY_INBOX {
        return Ok(false);
    }
    let mut view = reading::open(shared, Freshness::Local).await?;
    let called = domain::alerts::was_called(&mut view, AlertId(room.0), person).await;
    if called.map_err(of_query)? {
        return Ok(true);
    }
    let member = conversations::member(&mut view, room, person).await;
    Ok(member.map_err(of_query)?.is_some())
}

/// The message meant by a path: its id, or its number in the room.
async fn find_message(shared: &Shared, room: &str, message: &str) -> Result<MessageId, Problem> {
    let unknown =
        || Problem::not_found("there is no such message in this room; name it by its number or id");
    let room = find(shared, room).await?;
    for freshness in [Freshness::Local, Freshness::Linearizable] {
        let mut view = reading::open(shared, freshness).await?;
        let found = match (MessageId::parse(message), message.parse::<u64>()) {
            (Ok(id), _) => conversations::find_message(&mut view, id)
                .await
                .map_err(of_query)?
                .filter(|row| row.room == room),
            (_, Ok(number)) if number > 0 => {
                conversations::messages(&mut view, room, number - 1, 1)
                    .await
                    .map_err(of_query)?
                    .into_iter()
                    .find(|row| row.sequence == number)
            }
            (Err(_), Ok(_) | Err(_)) => None,
        };
        if let Some(row) = found {
            return Ok(row.id);
        }
    }
    Err(unknown())
}

/// Who does it: whoever is signed in, as themselves; for a key or an operator the person named, in the name given, else
/// whoever asks.
pub(crate) async fn speaker(
    shared: &Shared,
    order: &Order,
    author: Option<String>,
    person: Option<&str>,
) -> Result<Speaker, Problem> {
    if let Some(name) = order.signed.clone() {
        let person = match &order.person {
            Some(key) => Some(known(shared, key).await?.0),
            None => None,
        };
        return Ok(Speaker { name, person });
    }
    let person = match person {
        Some(key) => Some(known(shared, key).await?),
        None => None,
    };
    let asks = order.actor.label();
    let named = person.as_ref().map(|(_, name)| name.clone());
    Ok(Speaker {
        name: author.or(named).unwrap_or(asks),
        person: person.map(|(id, _)| id),
    })
}

/// Id and name of the person with this key.
async fn known(shared: &Shared, key: &str) -> Result<(RecipientId, String), Problem> {
    let mut view = reading::open(shared, Freshness::Local).await?;
    let person = recipients::person(&mut view, key).await.map_err(of_query)?;
    let person = person.map(|person| (person.id, person.name));
    person.ok_or_else(|| {
        Problem::new(
            Kind::UnknownRecipient,
            format!("unknown person {key}; add the person first or correct the key"),
        )
    })
}
