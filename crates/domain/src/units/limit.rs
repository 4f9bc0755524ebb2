//! What an account that is limited to a unit may change: decided here for every command, so that a new one does not compile
//! before somebody did, and none is forgotten by a way in.

use sqlx::SqliteConnection;

use super::query;
use crate::access::{self, accounts};
use crate::alerts::{self, Act, Raise};
use crate::apply::Entry;
use crate::approvals;
use crate::conversations::{self, Command as Rooms};
use crate::files;
use crate::ids::{AlertId, FileId, MessageId, RecipientId, RoomId};
use crate::oncall::{self, Target};
use crate::outcome::Refusal;
use crate::passes;
use crate::recipients::{self, Group, Named, Person};
use crate::reports;
use crate::{Actor, Command};

/// One thing a command is about.
#[derive(Debug)]
pub(super) enum About<'a> {
    /// The whole organisation.
    Whole,
    /// One person, by key.
    Person(&'a str),
    /// These people, by id.
    People(Vec<RecipientId>),
    /// People as they are put; those not known yet are nobody's.
    Put(&'a [Person]),
    /// Everybody in a group; one that is not there yet is nobody's.
    Group(&'a str),
    /// Everybody in a group as it is put.
    PutGroup(&'a Group),
    Schedule(&'a str),
    /// A schedule that may not be there yet.
    PutSchedule(&'a str),
    /// An alert that is said or answered something in.
    Seen(AlertId),
    /// An alert whose course is changed.
    Led(AlertId),
    Room(RoomId),
    Message(MessageId),
    File(FileId),
    Account(&'a str),
    /// An account that may not be there yet.
    PutAccount(&'a str),
    Guest(&'a str),
    Approval(u64),
}

/// Why whoever asks may not ask for this, being limited to a unit; `None` for everybody else and for what is within it.
pub(crate) async fn check(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<Option<Refusal>, sqlx::Error> {
    let actor = &entry.envelope.actor;
    let Some(unit) = accounts::limit_of(conn, actor).await? else {
        return Ok(None);
    };
    for about in of(&entry.envelope.command, actor) {
        if let Some(refusal) = refusal(conn, &unit, &about).await? {
            return Ok(Some(refusal));
        }
    }
    Ok(None)
}

/// Afterwards: people who were added belong to the unit of whoever added them.
pub(crate) async fn settle(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<(), sqlx::Error> {
    let Command::Recipients(recipients::Command::PutPeople { people }) = &entry.envelope.command
    else {
        return Ok(());
    };
    let Some(unit) = accounts::limit_of(conn, &entry.envelope.actor).await? else {
        return Ok(());
    };
    let ids = ids(people.iter().map(|person| person.key.as_str()));
    let mut added = Vec::new();
    for id in ids {
        if query::first_outside(conn, &unit, &[id]).await?.is_some() {
            added.push(id);
        }
    }
    recipients::place(conn, &added, Some(&unit)).await?;
    Ok(())
}

/// Why somebody limited to a unit may not raise an alert, if so.
pub async fn raise_refusal(
    conn: &mut SqliteConnection,
    unit: &str,
    raise: &Raise,
) -> Result<Option<Refusal>, sqlx::Error> {
    refusal(conn, unit, &About::People(called(raise))).await
}

fn ids<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<RecipientId> {
    keys.into_iter().map(RecipientId::of_key).collect()
}

pub(super) fn of<'a>(command: &'a Command, actor: &'a Actor) -> Vec<About<'a>> {
    match command {
        Command::Access(access::Command::Accounts(command)) => of_accounts(command, actor),
        Command::Recipients(command) => of_recipients(command),
        Command::Conversations(command) => of_rooms(command),
        Command::Alerts(command) => of_alerts(command),
        Command::Oncall(command) => of_oncall(command),
        Command::Passes(command) => of_passes(command),
        Command::Files(files::Command::Announce(new)) => vec![About::Room(new.room)],
        Command::Files(files::Command::Remove { file, .. }) => vec![About::File(*file)],
        Command::Reports(reports::Command::Take(_)) => Vec::new(),
        Command::Approvals(
            approvals::Command::Decide { number, .. } | approvals::Command::Review { number, .. },
        ) => vec![About::Approval(*number)],
        Command::Requests(_)
        | Command::Nodes(_)
        | Command::Access(access::Command::CreateKey(_) | access::Command::RevokeKey { .. })
        | Command::Deliveries(_)
        | Command::Escalation(_)
        | Command::Inbound(_)
        | Command::Islands(_)
        | Command::Sources(_)
        | Command::Reports(_)
        | Command::Zones(_)
        | Command::Templates(_)
        | Command::Limits(_)
        | Command::Approvals(approvals::Command::FollowUp { .. })
        | Command::Waking(_)
        | Command::Automations(_)
        | Command::Audit(_)
        | Command::Bridge(_)
        | Command::Files(_)
        | Command::Documents(_)
        | Command::Units(_)
        | Command::Permits(_)
        | Command::Setup(_) => vec![About::Whole],
        #[cfg(feature = "next-level")]
        Command::Next(_) => vec![About::Whole],
    }
}

fn of_accounts<'a>(command: &'a accounts::Command, actor: &'a Actor) -> Vec<About<'a>> {
    use accounts::Command as Accounts;
    let own = |name: &str| matches!(actor, Actor::Account { name: own } if own == name);
    match command {
        Accounts::Put { name, person, .. } => {
            let mut about = vec![About::PutAccount(name)];
            about.extend(person.as_deref().map(|key| About::People(ids([key]))));
            about
        }
        Accounts::SetRoles { name, .. }
        | Accounts::SetDisabled { name, .. }
        | Accounts::Invite { name, .. } => vec![About::Account(name)],
        // One's own, or all devices of somebody one answers for.
        Accounts::EndAll { name, .. } if !own(name) => vec![About::Account(name)],
        // Of one's own account and session, as far as those who ask were let through to it.
        Accounts::Accept(_)
        | Accounts::TryPassword { .. }
        | Accounts::BeginAttempt { .. }
        | Accounts::TryCode { .. }
        | Accounts::Open { .. }
        | Accounts::Touch { .. }
        | Accounts::End { .. }
        | Accounts::EndAll { .. }
        | Accounts::SetPassword { .. }
        | Accounts::SetTotp { .. }
        | Accounts::ConfirmTotp { .. }
        | Accounts::ResealTotp { .. }
        | Accounts::SetRecoveryCodes { .. }
        | Accounts::AddPasskey { .. }
        | Accounts::RemovePasskey { .. }
        | Accounts::OpenByPasskey(_)
        | Accounts::TryProof { .. }
        | Accounts::Prove { .. }
        | Accounts::Look { .. } => Vec::new(),
    }
}

fn of_recipients(command: &recipients::Command) -> Vec<About<'_>> {
    use recipients::Command as People;
    match command {
        People::PutPeople { people } => vec![About::Put(people)],
        People::RemovePerson { key } => vec![About::Person(key)],
        People::PutGroups { groups } => groups
            .iter()
            .flat_map(|group| [About::Group(&group.key), About::PutGroup(group)])
            .collect(),
        People::RemoveGroup { key } => vec![About::Group(key)],
        People::Verify(verify) => vec![About::Person(&verify.person)],
        People::Import(_)
        | People::DecideImport { .. }
        | People::FreezeImports { .. }
        | People::ThawImports
        | People::AllowPrefixes { .. }
        | People::BarPrefixes { .. } => vec![About::Whole],
    }
}

fn of_rooms(command: &Rooms) -> Vec<About<'_>> {
    match command {
        Rooms::Post { room, .. } => vec![About::Room(*room)],
        Rooms::Say(say) => vec![About::Room(say.room)],
        Rooms::Edit { message, .. }
        | Rooms::Mark { message, .. }
        | Rooms::Pin { message, .. }
        | Rooms::Read { message, .. } => vec![About::Message(*message)],
        Rooms::PutMember { room, person, .. } | Rooms::Follow { room, person, .. } => {
            vec![About::Room(*room), About::People(vec![*person])]
        }
        Rooms::PutRoom { .. } => vec![About::Whole],
    }
}

fn of_alerts(command: &alerts::Command) -> Vec<About<'_>> {
    use alerts::Command as Alerts;
    match command {
        Alerts::Raise(raise) => vec![About::People(called(raise))],
        Alerts::Answer {
            alert, recipient, ..
        }
        | Alerts::Mark {
            alert, recipient, ..
        } => vec![About::Seen(*alert), About::People(vec![*recipient])],
        Alerts::Acknowledge { alert, .. }
        | Alerts::Resolve { alert, .. }
        | Alerts::CallOff { alert, .. } => vec![About::Led(*alert)],
        Alerts::Join { alert, into } => vec![About::Led(*alert), About::Led(*into)],
        Alerts::Act { alert, act, .. } => match act {
            Act::Add { people, .. } => {
                vec![About::Led(*alert), About::People(people.clone())]
            }
            Act::Role { person, .. } => vec![
                About::Led(*alert),
                About::People(person.iter().copied().collect()),
            ],
            Act::NextStep
            | Act::Pause { .. }
            | Act::Resume
            | Act::Severity { .. }
            | Act::Update { .. }
            | Act::Withdraw { .. } => vec![About::Led(*alert)],
        },
        Alerts::HandOver { .. } => vec![About::Whole],
    }
}

/// Everybody an alert would call or tell.
fn called(raise: &Raise) -> Vec<RecipientId> {
    let steps = raise.steps.iter().flat_map(|step| &step.recipients);
    let others = raise.fallback.iter().chain(&raise.lead);
    steps.chain(others).copied().collect()
}

fn of_oncall(command: &oncall::Command) -> Vec<About<'_>> {
    use oncall::Command as Duty;
    match command {
        Duty::Put(new) => vec![About::PutSchedule(&new.key), About::People(new.people())],
        Duty::Remove { schedule }
        | Duty::RemoveOverride { schedule, .. }
        | Duty::Redirect {
            schedule,
            redirect: None,
        }
        | Duty::SettleSwap { schedule, .. } => vec![About::Schedule(schedule)],
        Duty::PutFixed { schedule, shifts } => {
            let people = shifts.iter().map(|shift| shift.person.as_str());
            vec![About::Schedule(schedule), About::People(ids(people))]
        }
        Duty::AddOverride { schedule, order } => {
            let people = order.instead.iter().map(String::as_str);
            vec![About::Schedule(schedule), About::People(ids(people))]
        }
        Duty::Redirect {
            schedule,
            redirect: Some(redirect),
        } => vec![
            About::Schedule(schedule),
            match &redirect.target {
                Target::Schedule(key) => About::Schedule(key),
                Target::Person(key) => About::People(ids([key.as_str()])),
                Target::Group(key) => About::Group(key),
            },
        ],
        Duty::ProposeSwap { schedule, swap } => {
            let people = ids([swap.give.person.as_str(), swap.take.person.as_str()]);
            vec![About::Schedule(schedule), About::People(people)]
        }
        // What a feed shows is read by whoever has its address.
        Duty::CreateFeed(_) | Duty::RevokeFeed { .. } => vec![About::Whole],
    }
}

fn of_passes(command: &passes::Command) -> Vec<About<'_>> {
    use passes::Command as Passes;
    match command {
        Passes::SendCode { .. } => Vec::new(),
        Passes::SendInvitation { name } => vec![About::Account(name)],
        Passes::AddGuest(new) => vec![About::Led(new.alert)],
        Passes::EndGuest { account } => vec![About::Guest(account)],
        Passes::AskNumber(ask) => vec![About::Person(&ask.person)],
        Passes::VouchNumber { person, .. } => vec![About::Person(person)],
        Passes::MakeCard { .. }
        | Passes::ConfirmCard { .. }
        | Passes::EndCard { .. }
        | Passes::OpenByCard(_) => vec![About::Whole],
    }
}

fn beyond(text: &str) -> Option<Refusal> {
    Some(Refusal::BeyondUnit(text.to_owned()))
}

const NOT_ALL_OURS: &str =
    "somebody here does not belong to it; ask somebody who answers for the whole organisation";

/// Why one thing is not within a unit. What belongs to others is not there at all, where that can be said.
async fn refusal(
    conn: &mut SqliteConnection,
    unit: &str,
    about: &About<'_>,
) -> Result<Option<Refusal>, sqlx::Error> {
    Ok(match about {
        About::Whole => beyond("this is for those who answer for the whole organisation"),
        About::Person(key) => {
            let person = RecipientId::of_key(key);
            let outside = query::first_outside(conn, unit, &[person]).await?;
            outside.map(|_| Refusal::UnknownRecipient((*key).to_owned()))
        }
        About::People(people) => match query::first_outside(conn, unit, people).await? {
            Some(_) => beyond(NOT_ALL_OURS),
            None => None,
        },
        About::Put(people) => {
            let keys: Vec<&str> = people.iter().map(|person| person.key.as_str()).collect();
            let known = recipients::by_keys(conn, &keys).await?;
            let known: Vec<RecipientId> = known.iter().map(|person| person.id).collect();
            match query::first_outside(conn, unit, &known).await? {
                Some(_) => beyond("one of these keys is somebody's who does not belong to it"),
                None => None,
            }
        }
        About::Group(key) => {
            let there = recipients::group(conn, key).await?.is_some();
            match there && !query::has_group(conn, unit, key).await? {
                true => beyond(NOT_ALL_OURS),
                false => None,
            }
        }
        About::PutGroup(group) => of_group(conn, unit, group).await?,
        About::Schedule(key) => match query::has_schedule(conn, unit, key).await? {
            true => None,
            false => Some(Refusal::UnknownSchedule((*key).to_owned())),
        },
        About::PutSchedule(key) => {
            let there = oncall::schedule(conn, key).await?.is_some();
            match there && !query::has_schedule(conn, unit, key).await? {
                true => beyond(NOT_ALL_OURS),
                false => None,
            }
        }
        About::Seen(alert) => match query::sees_alert(conn, unit, *alert).await? {
            true => None,
            false => Some(Refusal::UnknownAlert),
        },
        About::Led(alert) => led(conn, unit, *alert).await?,
        About::Room(room) => room_refusal(conn, unit, *room).await?,
        About::Message(message) => match conversations::find_message(conn, *message).await? {
            Some(row) => room_refusal(conn, unit, row.room).await?,
            None => None,
        },
        About::File(file) => match files::find(conn, *file).await? {
            Some(row) => room_refusal(conn, unit, row.room).await?,
            None => None,
        },
        About::Account(name) => match query::has_account(conn, unit, name).await? {
            true => None,
            false => Some(accounts::unknown()),
        },
        About::PutAccount(name) => {
            let there = accounts::account(conn, name).await?.is_some();
            match there && !query::has_account(conn, unit, name).await? {
                true => beyond("there is an account of this name that does not belong to it"),
                false => None,
            }
        }
        About::Guest(account) => match query::has_guest(conn, unit, account).await? {
            true => None,
            false => Some(accounts::unknown()),
        },
        About::Approval(number) => {
            let row = approvals::approval(conn, *number).await?;
            match row {
                Some(row) if !query::has_approval(conn, unit, &row).await? => beyond(
                    "somebody else asked for this; it takes whoever answers for the whole organisation",
                ),
                Some(_) | None => None,
            }
        }
    })
}

async fn led(
    conn: &mut SqliteConnection,
    unit: &str,
    alert: AlertId,
) -> Result<Option<Refusal>, sqlx::Error> {
    if !query::sees_alert(conn, unit, alert).await? {
        return Ok(Some(Refusal::UnknownAlert));
    }
    Ok(match query::leads_alert(conn, unit, alert).await? {
        true => None,
        false => beyond(
            "others were called to this alert too; it is led by whoever answers for the whole organisation",
        ),
    })
}

async fn room_refusal(
    conn: &mut SqliteConnection,
    unit: &str,
    room: RoomId,
) -> Result<Option<Refusal>, sqlx::Error> {
    Ok(match query::sees_room(conn, unit, room).await? {
        true => None,
        false => Some(Refusal::UnknownRoom),
    })
}

/// A rule finds whoever fits it, whichever unit they belong to.
async fn of_group(
    conn: &mut SqliteConnection,
    unit: &str,
    group: &Group,
) -> Result<Option<Refusal>, sqlx::Error> {
    if !group.rule.is_empty() {
        return Ok(beyond(
            "a rule finds people of the whole organisation; name the people, or groups of them",
        ));
    }
    let named: Vec<Named> = group.members.iter().map(Named::from).collect();
    let Ok(people) = recipients::resolve(conn, &named).await? else {
        // Whoever is not known is named when it is applied.
        return Ok(None);
    };
    if people.is_empty() {
        return Ok(beyond("a group without people is nobody's; name somebody"));
    }
    Ok(match query::first_outside(conn, unit, &people).await? {
        Some(_) => beyond(NOT_ALL_OURS),
        None => None,
    })
}
