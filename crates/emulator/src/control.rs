//! The control socket: one JSON object per line, a request and its reply.
//!
//! A request has an `op` (see [`Request`]) and may have an `id`, which the reply repeats. A reply is
//! `{"id":…,"ok":true,"result":…}` or `{"id":…,"ok":false,"error":"…"}`. After `subscribe` the connection carries one
//! [`Event`](crate::event::Event) per line; `{"missed":n}` stands where a slow reader lost some.

mod client;
mod server;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{mail::MailRule, modem::Knobs, phone::PhoneKnobs};

pub use client::{Client, ClientError, Events};
pub(crate) use server::Server;

/// What can be asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Gives a list of [`ModemInfo`].
    Modems,
    /// Gives a list of [`PhoneInfo`].
    Phones,
    /// Gives a list of [`CatcherInfo`].
    Catchers,
    /// Adds a phone.
    AddPhone {
        /// Its number.
        number: String,
    },
    /// Sends a text to a modem or phone; gives the number of parts.
    Send {
        /// A phone's number, or any number or name.
        from: String,
        /// The recipient's number.
        to: String,
        /// The text, cut into parts when it is long.
        text: String,
    },
    /// Hands a modem a transport PDU as it is, to its memory or its program.
    DeliverRaw {
        /// Which modem.
        modem: String,
        /// The PDU without service centre address, in hexadecimal.
        tpdu: String,
    },
    /// Writes these bytes to a modem's port, whatever it is doing.
    Inject {
        /// Which modem.
        modem: String,
        /// The bytes as text.
        text: String,
    },
    /// Gives a list of [`Message`](crate::event::Message).
    Inbox {
        /// The phone's number.
        phone: String,
        /// Only messages with a higher id.
        #[serde(default)]
        after: u64,
    },
    /// Empties a phone's inbox.
    ClearInbox {
        /// The phone's number.
        phone: String,
    },
    /// Turns a phone's knobs.
    SetPhone {
        /// The phone's number.
        phone: String,
        /// All of its knobs; those left out get their default.
        knobs: PhoneKnobs,
    },
    /// Rings a modem.
    Call {
        /// The caller's number.
        from: String,
        /// Which modem.
        modem: String,
    },
    /// Gives a modem's [`Knobs`].
    Knobs {
        /// Which modem.
        modem: String,
    },
    /// Turns some of a modem's knobs; gives all of them.
    Set {
        /// Which modem.
        modem: String,
        /// The knobs to turn, by name.
        knobs: Value,
    },
    /// Turns some of the network's knobs ([`NetworkKnobs`](crate::network::NetworkKnobs)); gives all of them.
    SetNetwork {
        /// The knobs to turn, by name.
        knobs: Value,
    },
    /// Takes a modem's power and port away.
    Unplug {
        /// Which modem.
        modem: String,
    },
    /// Gives it back, under the same link on a new terminal.
    Replug {
        /// Which modem.
        modem: String,
    },
    /// Gives a list of [`Mail`](crate::event::Mail).
    Mails {
        /// Which catcher.
        catcher: String,
        /// Only mails with a higher id.
        #[serde(default)]
        after: u64,
    },
    /// Forgets a catcher's mails.
    ClearMails {
        /// Which catcher.
        catcher: String,
    },
    /// Replaces the ways in which a catcher fails.
    SetMail {
        /// Which catcher.
        catcher: String,
        /// The first that fits is used.
        rules: Vec<MailRule>,
    },
    /// From now on this connection carries events.
    Subscribe,
}

/// A modem as listed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ModemInfo {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: String,
    /// Its operator.
    pub operator: String,
    /// Whether it has a port now.
    pub plugged: bool,
    /// How it behaves.
    pub knobs: Knobs,
}

/// A phone as listed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PhoneInfo {
    /// Its number.
    pub number: String,
    /// Complete messages that ever came.
    pub received: u64,
    /// Messages that wait for parts.
    pub incomplete: usize,
    /// How often it rang.
    pub rings: u64,
    /// How often it rang aloud.
    pub woken: u64,
    /// How it behaves.
    pub knobs: PhoneKnobs,
}

/// A mail catcher as listed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct CatcherInfo {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Mails that ever came.
    pub received: u64,
}

/// A request as it stands on a line.
#[derive(Debug, Deserialize, Serialize)]
struct RequestLine {
    #[serde(default, skip_serializing_if = "Value::is_null")]
    id: Value,
    #[serde(flatten)]
    request: Value,
}

/// A reply as it stands on a line.
#[derive(Debug, Deserialize, Serialize)]
struct ReplyLine {
    #[serde(default, skip_serializing_if = "Value::is_null")]
    id: Value,
    ok: bool,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    result: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[cfg(test)]
mod tests;
