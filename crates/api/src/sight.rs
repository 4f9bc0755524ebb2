//! What an account may not see of others' phone numbers and mail addresses is taken out of every answer here, after the
//! handler and before the network: no handler can forget it (SECURITY §2.2).
//!
//! What is looked for are the addresses themselves, in whatever field they stand.

use std::collections::BTreeSet;

use axum::body::{Body, Bytes};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use domain::access::Sight;
use domain::oncall;
use domain::recipients::{self, ContactMethod};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tracing::error;

use crate::accounts::caller::Caller;
use crate::problem::{Kind, Problem, of_query};
use crate::reading;
use crate::state::Shared;

/// The largest answer looked through.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Digits that make a number of a `+`: country code and subscriber (ITU-T E.164).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Digits of a hidden number that stay, at its end.
const DIGITS_SHOWN: usize = 2;

/// Answers that hold numbers of our own nodes only, which everybody has to know.
const OF_NODES: &[&str] = &[
    "/v1/cluster",
    "/v1/nodes",
    "/v1/number-card",
    "/v1/round-trips",
    "/v1/vcard",
];

/// Files that are of use only byte by byte: what an island journalled goes from node to node by an admin's hand, and what
/// is left out of an export of the audit cannot be verified: taking those is in the audit itself. A file in a room, or a
/// plan, was put there for everybody who may read it.
const WHOLE: &[&str] = &[
    "/v1/audit/export",
    "/v1/audit/export/checkpoints",
    "/v1/audit/export/nodes",
    "/v1/island/export",
    "/v1/rooms/{room}/files/{file}/bytes",
    "/v1/documents/{key}/bytes",
    "/v1/alerts/{alert}/documents/{document}/bytes",
];

/// Fields that hold what was said to everybody who was called. Who reads the alert reads them as they are.
const SAID: &[&str] = &["checklist", "gather", "placeholders", "text", "texts"];

/// Takes out of an answer what its caller may not see.
pub(crate) async fn limit(
    shared: &Shared,
    caller: &Caller,
    path: &str,
    response: Response<Body>,
) -> Response<Body> {
    let roles = &caller.account.roles;
    if roles.sight() == Sight::All || OF_NODES.contains(&path) || WHOLE.contains(&path) {
        return response;
    }
    let filter = Filter {
        sight: roles.sight(),
        clear: BTreeSet::new(),
    };
    let book = roles.sees_on_duty().then_some(shared);
    match filter.apply(response, book).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// Addresses of those who are on call now: the duty phone book.
async fn on_duty(shared: &Shared) -> Result<BTreeSet<String>, Problem> {
    let view = reading::open(shared, domain::ports::Freshness::Local).await?;
    let mut view = reading::View::new(view).await?;
    let now = view.1.at(shared.replica.now());
    let plan = oncall::plan_of_all(&mut view.0, now, now)
        .await
        .map_err(of_query)?;
    let schedules = plan
        .schedules()
        .filter_map(|schedule| plan.who_at(&schedule.key, now));
    let people: BTreeSet<String> = schedules
        .flat_map(|on_call| on_call.duties)
        .map(|duty| duty.person)
        .collect();
    let mut clear = BTreeSet::new();
    for key in people {
        let person = recipients::person(&mut view.0, &key)
            .await
            .map_err(of_query)?;
        for method in person.into_iter().flat_map(|person| person.methods) {
            let (ContactMethod::Sms(address) | ContactMethod::Email(address)) = method;
            clear.insert(address);
        }
    }
    Ok(clear)
}

struct Filter {
    sight: Sight,
    /// Addresses that may be seen all the same.
    clear: BTreeSet<String>,
}

impl Filter {
    /// Looks through an answer. Those on duty are looked up in `book` once there is something to hide.
    async fn apply(
        mut self,
        response: Response<Body>,
        book: Option<&Shared>,
    ) -> Result<Response<Body>, Problem> {
        let (mut parts, body) = response.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
        if kind == "text/event-stream" {
            // An event is one frame; it never ends, so it is never whole.
            let frames = body.map_frame(move |frame| frame.map_data(|data| self.bytes(&data)));
            return Ok(Response::from_parts(parts, Body::new(frames)));
        }
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let bytes = whole
            .map(http_body_util::Collected::to_bytes)
            .map_err(|_| {
                Problem::new(
                    Kind::TooLarge,
                    "the answer is too large; ask for less at once",
                )
            })?;
        if let Some(shared) = book
            && next_address(&String::from_utf8_lossy(&bytes), 0).is_some()
        {
            self.clear = on_duty(shared).await?;
        }
        let json = kind == "application/json" || kind.ends_with("+json");
        let text = kind.starts_with("text/")
            || kind.ends_with("xml")
            || kind == "application/openmetrics-text";
        let bytes = match (json, text) {
            _ if bytes.is_empty() => bytes,
            (true, _) => self.json(&bytes)?,
            (false, true) => self.bytes(&bytes),
            (false, false) => {
                let text =
                    "a file of this kind may hold numbers and addresses your roles do not show you";
                return Err(Problem::new(Kind::NotAllowed, text));
            }
        };
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }

    fn json(&self, bytes: &[u8]) -> Result<Bytes, Problem> {
        let failed = |failure: serde_json::Error| {
            error!(%failure, "an answer is not the JSON it says it is");
            Problem::new(Kind::Internal, "this node failed to answer; see its log")
        };
        let mut value: Value = serde_json::from_slice(bytes).map_err(failed)?;
        self.value(&mut value);
        serde_json::to_vec(&value).map(Bytes::from).map_err(failed)
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(limited) = self.text(text) {
                    *text = limited;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    if !SAID.contains(&name.as_str()) || self.sight != Sight::Nothing {
                        self.value(field);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn bytes(&self, bytes: &[u8]) -> Bytes {
        let text = String::from_utf8_lossy(bytes);
        let limited = self.text(&text).unwrap_or_else(|| text.into_owned());
        Bytes::from(limited)
    }

    /// The text without what may not be seen; `None` when there is nothing of that in it.
    fn text(&self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        let mut copied = 0;
        let mut from = 0;
        while let Some((start, end)) = next_address(text, from) {
            from = end;
            let address = &text[start..end];
            if self.clear.contains(address) {
                continue;
            }
            let out = out.get_or_insert_with(String::new);
            out.push_str(&text[copied..start]);
            out.push_str(&self.hidden(address));
            copied = end;
        }
        out.map(|out| out + &text[copied..])
    }

    fn hidden(&self, address: &str) -> String {
        match self.sight {
            Sight::All => address.to_owned(),
            Sight::Nothing => "•••".to_owned(),
            Sight::Masked => match address.split_once('@') {
                Some((name, domain)) => {
                    let first: String = name.chars().take(1).collect();
                    format!("{first}•••@{}", "•".repeat(domain.len().min(3)))
                }
                None => format!("+•••{}", &address[address.len() - DIGITS_SHOWN..]),
            },
        }
    }
}

/// Where the next phone number or mail address stands, from a place on.
fn next_address(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    for place in from..bytes.len() {
        match bytes[place] {
            b'+' => {
                let digits = bytes[place + 1..]
                    .iter()
                    .take_while(|b| b.is_ascii_digit())
                    .count();
                if DIGITS.contains(&digits) {
                    return Some((place, place + 1 + digits));
                }
            }
            b'@' => {
                let local = |b: &&u8| {
                    b.is_ascii_alphanumeric()
                        || b".!#$%&'*+-/=?^_`{|}~".contains(*b)
                        || !b.is_ascii()
                };
                let host = |b: &&u8| {
                    b.is_ascii_alphanumeric() || matches!(**b, b'.' | b'-') || !b.is_ascii()
                };
                let before = bytes[from..place].iter().rev().take_while(local).count();
                let after = bytes[place + 1..].iter().take_while(host).count();
                if before > 0 && after > 0 {
                    return Some((place - before, place + 1 + after));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(sight: Sight) -> Filter {
        Filter {
            sight,
            clear: BTreeSet::from(["+358401110009".to_owned()]),
        }
    }

    fn limited(sight: Sight, text: &str) -> String {
        filter(sight).text(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        for (text, masked, nothing) in [
            ("+358401234567", "+•••67", "•••"),
            (
                "call +358401234567, or +46701234567.",
                "call +•••67, or +•••67.",
                "call •••, or •••.",
            ),
            ("tel:+358401234567", "tel:+•••67", "tel:•••"),
            ("anna.v@example.org", "a•••@•••", "•••"),
            (
                "<anna@example.org>; bela@x",
                "<a•••@•••>; b•••@•",
                "<•••>; •••",
            ),
            ("ääkkö@exämple.fi", "ä•••@•••", "•••"),
            (
                "+358401110009 is on duty",
                "+358401110009 is on duty",
                "+358401110009 is on duty",
            ),
            ("room +3, at @ home, 2026-11-23T03:12:05.250+00:00", "", ""),
            ("", "", ""),
        ] {
            let same = |expected: &str| {
                if expected.is_empty() {
                    text.to_owned()
                } else {
                    expected.to_owned()
                }
            };
            assert_eq!(limited(Sight::Masked, text), same(masked));
            assert_eq!(limited(Sight::Nothing, text), same(nothing));
        }
    }

    #[test]
    fn what_was_said_to_those_called_stays_as_it_was_said() {
        let body =
            r#"{"texts":{"fi":"soita +358401234567"},"people":[{"address":"+358401234567"}]}"#;
        let shown = |sight| {
            String::from_utf8(filter(sight).json(body.as_bytes()).unwrap().to_vec()).unwrap()
        };
        let of_responder = shown(Sight::Nothing);
        assert!(
            of_responder.contains("soita +358401234567"),
            "{of_responder}"
        );
        assert!(
            of_responder.contains(r#""address":"•••""#),
            "{of_responder}"
        );
        assert!(!shown(Sight::Masked).contains("+3584"));
    }
}
