//! `holdfast room`: what people say to each other, and the records of what was marked.

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::room_files::{self, FileCommand};
use crate::client::{Client, segment};
use crate::output::{Done, Exit, Failure, cell, each};

#[derive(Debug, Subcommand)]
pub(crate) enum RoomCommand {
    /// List rooms: the inbox, those of open alerts, everyday ones
    List {
        /// Count what this person has not read
        #[arg(long, value_name = "KEY")]
        person: Option<String>,
        /// Everyday rooms that are closed as well
        #[arg(long)]
        closed: bool,
    },
    /// Show who is in a room, what is pinned, and what was said last
    Show {
        /// Number of the alert, key of an everyday room, or "inbox"
        room: String,
        /// At most this many messages
        #[arg(long, default_value_t = 30)]
        last: u64,
    },
    /// Say something in a room
    Post {
        room: String,
        /// "-" reads it from standard input
        text: String,
        /// Mark it for the record at once
        #[arg(long, value_enum)]
        mark: Option<MarkWord>,
        /// Of a decision: what was not known when it was taken
        #[arg(long, default_value = "", requires = "mark")]
        unknown: String,
        /// Its words never leave by SMS or mail
        #[arg(long)]
        restricted: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Word a message anew; the original stays
    Edit {
        room: String,
        /// Its number in the room
        message: String,
        text: String,
        #[command(flatten)]
        who: Who,
    },
    /// Mark a message for the record: diary, decision or minutes
    Mark {
        room: String,
        /// Its number in the room
        message: String,
        #[arg(value_enum)]
        kind: MarkWord,
        /// Of a decision: what was not known when it was taken
        #[arg(long, default_value = "")]
        unknown: String,
        #[command(flatten)]
        who: Who,
    },
    /// Pin a message as a fact everyone should see first
    Pin {
        room: String,
        message: String,
        /// Take it down instead
        #[arg(long)]
        down: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Look through a room's record: exit code 7 when a link is not as it was written
    Verify { room: String },
    /// Open an everyday room, or change it
    Open {
        /// 3 to 30 small letters, digits and hyphens
        key: String,
        name: String,
        /// Its words never leave by SMS or mail
        #[arg(long)]
        restricted: bool,
    },
    /// Close an everyday room; what was said stays
    Close { key: String },
    /// Add somebody to a room, or change how they follow it
    Add {
        room: String,
        /// Key of the person
        person: String,
        /// How they follow it
        #[arg(long, value_enum, default_value = "app")]
        follow: FollowWord,
    },
    /// Take somebody out of a room who was added by name
    Remove { room: String, person: String },
    /// Tell somebody by text or mail what is said in a room; they answer the same way
    Follow {
        room: String,
        /// Key of the person
        person: String,
        #[arg(long, value_enum, default_value = "sms")]
        by: ByWord,
    },
    /// Tell somebody so no more; they stay in the room
    Unfollow { room: String, person: String },
    #[command(flatten)]
    Files(FileCommand),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum MarkWord {
    Diary,
    Decision,
    Minutes,
}

impl MarkWord {
    fn name(self) -> &'static str {
        match self {
            Self::Diary => "diary",
            Self::Decision => "decision",
            Self::Minutes => "minutes",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FollowWord {
    App,
    /// By text, within a budget
    Sms,
    /// By mail, within a budget
    Email,
}

impl FollowWord {
    fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ByWord {
    Sms,
    Email,
}

impl ByWord {
    fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Who {
    /// Key of the person who does it
    #[arg(long = "as", value_name = "KEY")]
    person: Option<String>,
}

pub(super) async fn room(context: &Context, command: RoomCommand) -> Done {
    let client = context.client()?;
    match command {
        RoomCommand::List { person, closed } => list(context, &client, person, closed).await,
        RoomCommand::Show { room, last } => show(context, &client, &room, last).await,
        RoomCommand::Post {
            room,
            text,
            mark,
            unknown,
            restricted,
            who,
        } => {
            let body = json!({
                "text": context.argument(&text)?, "mark": mark.map(MarkWord::name), "unknown": unknown,
                "restricted": restricted, "person": who.person,
            });
            let path = format!("/v1/rooms/{}/messages", segment(&room));
            let answer = client.change(Method::POST, &path, Some(&body)).await?;
            context.output.data(&answer, || {
                format!("said as number {}", cell(&answer["sequence"]))
            });
            Ok(())
        }
        RoomCommand::Edit {
            room,
            message,
            text,
            who,
        } => {
            let body = json!({ "text": context.argument(&text)?, "person": who.person });
            of_message(
                context,
                &client,
                (&room, &message),
                "edit",
                &body,
                "worded anew",
            )
            .await
        }
        RoomCommand::Mark {
            room,
            message,
            kind,
            unknown,
            who,
        } => {
            let body = json!({ "mark": kind.name(), "unknown": unknown, "person": who.person });
            of_message(
                context,
                &client,
                (&room, &message),
                "mark",
                &body,
                "marked and chained",
            )
            .await
        }
        RoomCommand::Pin {
            room,
            message,
            down,
            who,
        } => {
            let body = json!({ "pinned": !down, "person": who.person });
            let done = if down { "taken down" } else { "pinned" };
            of_message(context, &client, (&room, &message), "pin", &body, done).await
        }
        RoomCommand::Verify { room } => verify(context, &client, &room).await,
        RoomCommand::Open {
            key,
            name,
            restricted,
        } => {
            let body = json!({ "name": name, "restricted": restricted });
            let path = format!("/v1/rooms/{}", segment(&key));
            changed(context, &client, Method::PUT, &path, Some(&body), "open").await
        }
        RoomCommand::Close { key } => {
            let path = format!("/v1/rooms/{}", segment(&key));
            let room = client.get(&path).await?;
            let body =
                json!({ "name": room["name"], "restricted": room["restricted"], "closed": true });
            changed(context, &client, Method::PUT, &path, Some(&body), "closed").await
        }
        RoomCommand::Add {
            room,
            person,
            follow,
        } => {
            let body = json!({ "follow": follow.name() });
            let path = member(&room, &person);
            changed(context, &client, Method::PUT, &path, Some(&body), "added").await
        }
        RoomCommand::Remove { room, person } => {
            let path = member(&room, &person);
            changed(context, &client, Method::DELETE, &path, None, "taken out").await
        }
        RoomCommand::Follow { room, person, by } => {
            let body = json!({ "by": by.name() });
            let path = follower(&room, &person);
            changed(context, &client, Method::PUT, &path, Some(&body), "follows").await
        }
        RoomCommand::Unfollow { room, person } => {
            let path = follower(&room, &person);
            let done = "follows no more";
            changed(context, &client, Method::DELETE, &path, None, done).await
        }
        RoomCommand::Files(command) => room_files::files(context, command).await,
    }
}

fn member(room: &str, person: &str) -> String {
    format!("/v1/rooms/{}/members/{}", segment(room), segment(person))
}

fn follower(room: &str, person: &str) -> String {
    format!("/v1/rooms/{}/followers/{}", segment(room), segment(person))
}

async fn of_message(
    context: &Context,
    client: &Client,
    (room, message): (&str, &str),
    what: &str,
    body: &Value,
    done: &str,
) -> Done {
    let path = format!(
        "/v1/rooms/{}/messages/{}/{what}",
        segment(room),
        segment(message)
    );
    changed(context, client, Method::POST, &path, Some(body), done).await
}

async fn changed(
    context: &Context,
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&Value>,
    done: &str,
) -> Done {
    let answer = client.change(method, path, body).await?;
    context
        .output
        .data(&answer, || match answer["changed"] == true {
            true => done.to_owned(),
            false => "nothing changed: it was so already".to_owned(),
        });
    Ok(())
}

async fn list(context: &Context, client: &Client, person: Option<String>, closed: bool) -> Done {
    let person = person.map_or_else(String::new, |key| format!("&person={}", segment(&key)));
    let mut rooms: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!(
            "/v1/rooms?limit=500&closed={closed}&after={}{person}",
            segment(&after)
        );
        let answer = client.get(&path).await?;
        rooms.extend(each(&answer["rooms"]).cloned());
        match answer["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let fields = ["room", "kind", "name", "messages", "newest_at", "unread"];
    context.output.data(&json!({ "rooms": rooms }), || {
        let rows: Vec<_> = rooms
            .iter()
            .map(|room| fields.map(|field| cell(&room[field])).to_vec())
            .collect();
        context.output.table(&fields, &rows)
    });
    Ok(())
}

async fn show(context: &Context, client: &Client, name: &str, last: u64) -> Done {
    let path = format!("/v1/rooms/{}", segment(name));
    let mut room = client.get(&path).await?;
    let after = room["messages"].as_u64().unwrap_or(0).saturating_sub(last);
    let limit = last.clamp(1, 500);
    let said = client
        .get(&format!("{path}/messages?after={after}&limit={limit}"))
        .await?;
    room["said"] = said["messages"].clone();
    context.output.data(&room, || {
        let people = ["key", "name", "called", "follow", "read"];
        let rows: Vec<_> = each(&room["people"])
            .map(|person| people.map(|field| cell(&person[field])).to_vec())
            .collect();
        let followers: String = each(&room["followers"])
            .map(|follower| format!("{}\n", told(follower)))
            .collect();
        let pinned: String = each(&room["pinned"])
            .map(|message| format!("pinned {}\n", line(message)))
            .collect();
        let said: String = each(&room["said"])
            .map(|message| format!("{}\n", line(message)))
            .collect();
        format!(
            "{} ({})\n{}\n\n{followers}{pinned}{said}",
            cell(&room["name"]),
            cell(&room["room"]),
            context.output.table(&people, &rows)
        )
    });
    Ok(())
}

/// How somebody who follows a room by text or mail stands, on one line.
fn told(follower: &Value) -> String {
    let mut line = format!(
        "{} follows by {}: {} digests",
        cell(&follower["key"]),
        cell(&follower["by"]),
        follower["digests"]
    );
    for (field, words) in [
        ("failed", "did not reach them"),
        ("left_out", "messages only counted"),
        ("waiting", "messages wait"),
    ] {
        if follower[field] != 0 {
            line.push_str(&format!(", {} {words}", follower[field]));
        }
    }
    for (field, words) in [
        ("due_at", "until"),
        ("held", "held back:"),
        ("until", "ends"),
    ] {
        if !follower[field].is_null() {
            line.push_str(&format!(", {words} {}", cell(&follower[field])));
        }
    }
    line
}

/// A message on one line, with its number, marks and whether it was worded anew.
fn line(message: &Value) -> String {
    let mut notes: Vec<String> = each(&message["marks"])
        .map(|mark| match cell(&mark["unknown"]) {
            unknown if unknown.is_empty() => cell(&mark["mark"]),
            unknown => format!("{}; not known: {unknown}", cell(&mark["mark"])),
        })
        .collect();
    if !message["original"].is_null() {
        notes.push(format!("first worded: {}", cell(&message["original"])));
    }
    match message["via"].as_str() {
        Some("sms") => notes.push("by text".to_owned()),
        Some("email") => notes.push("by mail".to_owned()),
        Some(_) | None => {}
    }
    let notes = match notes.as_slice() {
        [] => String::new(),
        notes => format!(" [{}]", notes.join("; ")),
    };
    format!(
        "{} {} {}: {}{notes}",
        message["sequence"],
        cell(&message["at"]),
        cell(&message["author"]),
        cell(&message["text"])
    )
}

async fn verify(context: &Context, client: &Client, room: &str) -> Done {
    let answer = client
        .get(&format!("/v1/rooms/{}/verify", segment(room)))
        .await?;
    let bad = &answer["first_bad"];
    context.output.data(&answer, || match bad.is_null() {
        true => format!(
            "intact: {} links, the last is {}",
            answer["links"],
            cell(&answer["head"])
        ),
        false => format!("link {bad} is bad: {}", cell(&answer["why"])),
    });
    if answer["intact"] == true {
        return Ok(());
    }
    let text = format!("the record of {room} is not as it was written");
    Err(Failure::new(Exit::VerificationFailed, text).reported(context.output.json))
}
