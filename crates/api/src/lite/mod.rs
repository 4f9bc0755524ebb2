//! `/lite`: alerts, answers and rooms as plain pages, for phones on which no script runs ([decision 32]).
//!
//! A page decides nothing and reads no row. It asks the operations under `/v1` that the app asks, of the same router, past
//! the same guard, with a session bound to a key like any other's; the key travels sealed in a cookie, because such a
//! phone cannot hold one. So what may be seen here, by whom, how often, and when it ends, is said in one place.
//!
//! [decision 32]: ../../../../docs/decisions/0032-pages-without-script.md

mod api;
mod page;
mod pass;
mod visit;
mod words;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::{Value, json};

use self::api::{Api, DeviceKey, Refused};
use self::page::{Alert, Said, Talk};
use self::pass::{Pass, Stage};
use self::visit::{Asked, Form, Visit};
use crate::input::{Params, Segment};
use crate::state::Shared;

/// How these pages are called in the list of somebody's devices.
const DEVICE: &str = "/lite";

/// The last messages of a room that are asked for.
const MESSAGES_MAX: u64 = 12;

const STYLE: &str = include_str!("style.css");

/// The pages. `v1` is the router they ask, guard and all.
pub(crate) fn pages(v1: Router) -> Router<Shared> {
    Router::new()
        .route("/lite", get(home))
        .route("/lite/style.css", get(style))
        .route("/lite/sign-in", post(sign_in))
        .route("/lite/code", post(code))
        .route("/lite/text", post(text))
        .route("/lite/out", post(out))
        .route("/lite/alert/{alert}", get(alert))
        .route("/lite/alert/{alert}/answer", post(answer))
        .route("/lite/alert/{alert}/say", post(say))
        .route("/lite/alert/{alert}/proof", post(proof))
        .route_layer(Extension(Api(v1)))
}

type Query = Params<BTreeMap<String, String>>;

/// Whatever stage somebody is at: signing in, showing a second factor, or what they are asked.
async fn home(asked: Asked, Params(query): Query) -> Response {
    let mut visit = match Visit::open(asked).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if let Some(language) = query.get("lang") {
        visit.speak(language);
    }
    Box::pin(show_home(&visit, StatusCode::OK, None)).await
}

async fn show_home(visit: &Visit, status: StatusCode, note: Option<String>) -> Response {
    let html = match &visit.pass.stage {
        Stage::Out => page::sign_in(visit, note.as_deref()),
        Stage::Attempt { next, .. } => page::code(visit, next, note.as_deref()),
        Stage::In { .. } => {
            return match Box::pin(own_alerts(visit)).await {
                Ok((name, alerts)) => visit.page(status, &page::list(visit, &name, &alerts)),
                Err(refused) => turned_away(visit, &refused),
            };
        }
    };
    visit.page(status, &html)
}

/// A password. What comes of it is the same for accounts that exist and those that do not.
async fn sign_in(asked: Asked, body: Body) -> Response {
    let (mut visit, form) = match Visit::posted(asked, body, "sign-in").await {
        Ok(both) => both,
        Err(response) => return response,
    };
    let asked = async {
        let key = DeviceKey::generate()?;
        let body = json!({
            "account": form.text("account"),
            "password": form.text("password"),
            "device": { "name": DEVICE, "key": key.jwk() },
        });
        let answer = visit
            .ask(Method::POST, "/v1/sign-in", Some(body), None)
            .await?;
        Ok::<_, Refused>((answer, key.written()))
    };
    match Box::pin(asked).await {
        Ok((answer, key)) => {
            let next = answer["next"].as_array().into_iter().flatten();
            visit.pass.stage = Stage::Attempt {
                attempt: word(&answer["attempt"]),
                next: next.map(word).collect(),
                key,
            };
            visit.go("/lite")
        }
        Err(refused) => {
            let note = sign_in_note(&visit, &refused);
            Box::pin(show_home(&visit, refused.status, Some(note))).await
        }
    }
}

/// A second factor, which opens the session.
async fn code(asked: Asked, body: Body) -> Response {
    let (mut visit, form) = match Visit::posted(asked, body, "code").await {
        Ok(both) => both,
        Err(response) => return response,
    };
    let Stage::Attempt { attempt, key, .. } = visit.pass.stage.clone() else {
        return visit.go("/lite");
    };
    let path = format!("/v1/sign-in/{}", segment(&attempt));
    let body = json!({ "factor": form.text("factor"), "code": form.text("code").trim() });
    match Box::pin(visit.ask(Method::POST, &path, Some(body), None)).await {
        Ok(answer) => {
            let token = word(&answer["token"]);
            visit.renew(Stage::In { token, key });
            visit.go("/lite")
        }
        Err(refused) => {
            let note = sign_in_note(&visit, &refused);
            Box::pin(show_home(&visit, refused.status, Some(note))).await
        }
    }
}

/// Has a code texted to whoever signs in, if their account allows that.
async fn text(asked: Asked, body: Body) -> Response {
    let visit = match Visit::posted(asked, body, "text").await {
        Ok((visit, _)) => visit,
        Err(response) => return response,
    };
    let Stage::Attempt { attempt, .. } = &visit.pass.stage else {
        return visit.go("/lite");
    };
    let path = format!("/v1/sign-in/{}/text", segment(attempt));
    let (status, note) = match Box::pin(visit.ask(Method::POST, &path, None, None)).await {
        Ok(_) => (StatusCode::OK, visit.words.say("sign_in.text_sent")),
        Err(refused) => (refused.status, sign_in_note(&visit, &refused)),
    };
    Box::pin(show_home(&visit, status, Some(note))).await
}

/// Ends the session on all nodes, or gives up signing in.
async fn out(asked: Asked, body: Body) -> Response {
    let (mut visit, form) = match Visit::posted(asked, body, "out").await {
        Ok(both) => both,
        Err(response) => return response,
    };
    if matches!(visit.pass.stage, Stage::In { .. }) {
        let ended = visit.ask(Method::DELETE, "/v1/session", None, Some(form.once()));
        match Box::pin(ended).await {
            Ok(_) => {}
            Err(refused) if refused.over() => {}
            // Who is told that they are signed out must be.
            Err(refused) => return turned_away(&visit, &refused),
        }
    }
    visit.renew(Stage::Out);
    visit.go("/lite")
}

/// One alert, with its buttons and the last words of its room.
async fn alert(asked: Asked, Segment(named): Segment, Params(query): Query) -> Response {
    let visit = match Visit::open(asked).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if !matches!(visit.pass.stage, Stage::In { .. }) {
        return visit.go("/lite");
    }
    let said = query.get("said").and_then(|word| Said::parse(word));
    Box::pin(show_alert(&visit, &named, StatusCode::OK, said, None)).await
}

async fn show_alert(
    visit: &Visit,
    named: &str,
    status: StatusCode,
    said: Option<Said>,
    why: Option<&str>,
) -> Response {
    let (_, alerts) = match own_alerts(visit).await {
        Ok(found) => found,
        Err(refused) => return turned_away(visit, &refused),
    };
    let Some(alert) = find(&alerts, named) else {
        return visit.page(StatusCode::NOT_FOUND, &page::gone(visit));
    };
    let room = match room(visit, &alert.id).await {
        Ok(messages) => Talk::Open(messages),
        Err(refused) if refused.over() => return turned_away(visit, &refused),
        // Whoever may not read the room, or not yet, may still answer.
        Err(refused) if refused.wants_factor => Talk::Locked,
        Err(_) => Talk::Closed,
    };
    let html = page::alert(visit, alert, &room, said, why);
    visit.page(status, &html)
}

async fn answer(asked: Asked, Segment(named): Segment, body: Body) -> Response {
    let (visit, form) = match Visit::posted(asked, body, "answer").await {
        Ok(both) => both,
        Err(response) => return response,
    };
    let done = Box::pin(give_answer(&visit, &named, &form)).await;
    Box::pin(show_done(&visit, &named, done)).await
}

async fn give_answer(visit: &Visit, named: &str, form: &Form) -> Result<Value, Refused> {
    let session = visit.ask(Method::GET, "/v1/session", None, None).await?;
    let mut body = json!({
        "person": session["person"]["key"],
        "answer": form.text("answer"),
    });
    if form.text("answer") == "coming"
        && let Ok(minutes) = form.text("eta").parse::<u16>()
    {
        body["eta_minutes"] = minutes.into();
    }
    let path = format!("/v1/alerts/{}/answer", segment(named));
    visit
        .ask(Method::POST, &path, Some(body), Some(form.once()))
        .await
}

async fn say(asked: Asked, Segment(named): Segment, body: Body) -> Response {
    let (visit, form) = match Visit::posted(asked, body, "say").await {
        Ok(both) => both,
        Err(response) => return response,
    };
    let text = form.text("text").trim();
    if text.is_empty() {
        return visit.go(&alert_path(&named));
    }
    let path = format!("/v1/rooms/{}/messages", segment(&named));
    let body = Some(json!({ "text": text }));
    let done = Box::pin(visit.ask(Method::POST, &path, body, Some(form.once()))).await;
    Box::pin(show_done(&visit, &named, done)).await
}

/// The password again, after a pause.
async fn proof(asked: Asked, Segment(named): Segment, body: Body) -> Response {
    let (visit, form) = match Visit::posted(asked, body, "proof").await {
        Ok(both) => both,
        Err(response) => return response,
    };
    let body = json!({ "factor": "password", "secret": form.text("password") });
    let shown = visit.ask(Method::POST, "/v1/session/proof", Some(body), None);
    match Box::pin(shown).await {
        Ok(_) => visit.go(&alert_path(&named)),
        Err(refused) if refused.over() => turned_away(&visit, &refused),
        Err(refused) => {
            let why = Some(refused.detail.as_str());
            Box::pin(show_alert(&visit, &named, refused.status, None, why)).await
        }
    }
}

/// Back to the alert, where it says how safely the change is kept, or why there is none.
async fn show_done(visit: &Visit, named: &str, done: Result<Value, Refused>) -> Response {
    match done {
        Ok(stored) => {
            let said = Said::of(&stored);
            visit.go(&format!("{}?said={}", alert_path(named), said.word()))
        }
        Err(refused) if refused.over() => turned_away(visit, &refused),
        Err(refused) => show_alert(visit, named, refused.status, None, Some(&refused.detail)).await,
    }
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (
        headers.map(|(name, value)| (name, HeaderValue::from_static(value))),
        STYLE,
    )
        .into_response()
}

/// What to call who is signed in, and the open alerts they were called to.
async fn own_alerts(visit: &Visit) -> Result<(String, Vec<Alert>), Refused> {
    let session = visit.ask(Method::GET, "/v1/session", None, None).await?;
    let name = word(&session["name"]);
    let Some(person) = session["person"]["key"].as_str() else {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            &visit.words.say("lite.nobody"),
        ));
    };
    let path = format!("/v1/people/{}/alerts", segment(person));
    let own = visit.ask(Method::GET, &path, None, None).await?;
    let alerts = own["alerts"].as_array().into_iter().flatten();
    Ok((name, alerts.map(Alert::read).collect()))
}

/// The last messages of a room, oldest first.
async fn room(visit: &Visit, id: &str) -> Result<Vec<page::Message>, Refused> {
    let path = format!("/v1/rooms/{}", segment(id));
    let room = visit.ask(Method::GET, &path, None, None).await?;
    let after = room["messages"].as_u64().unwrap_or_default();
    let after = after.saturating_sub(MESSAGES_MAX);
    let path = format!("{path}/messages?after={after}&limit=100");
    let said = visit.ask(Method::GET, &path, None, None).await?;
    let messages: Vec<_> = said["messages"].as_array().into_iter().flatten().collect();
    let first = messages
        .len()
        .saturating_sub(usize::try_from(MESSAGES_MAX).unwrap_or(usize::MAX));
    let last = messages.into_iter().skip(first);
    Ok(last.map(page::Message::read).collect())
}

/// Signing in again when the session is over; else what was refused, and why.
fn turned_away(visit: &Visit, refused: &Refused) -> Response {
    if !refused.over() {
        return visit.page(refused.status, &page::refused(visit, &refused.detail));
    }
    let mut fresh = visit.clone();
    fresh.renew(Stage::Out);
    let note = fresh.words.say("lite.ended");
    fresh.page(
        StatusCode::UNAUTHORIZED,
        &page::sign_in(&fresh, Some(&note)),
    )
}

fn sign_in_note(visit: &Visit, refused: &Refused) -> String {
    match refused.status {
        StatusCode::UNAUTHORIZED => visit.words.say("sign_in.wrong"),
        _ => refused.detail.clone(),
    }
}

fn find<'a>(alerts: &'a [Alert], named: &str) -> Option<&'a Alert> {
    alerts
        .iter()
        .find(|alert| alert.number == named || alert.id == named)
}

fn alert_path(named: &str) -> String {
    format!("/lite/alert/{}", segment(named))
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// One part of a path, percent-encoded.
fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

impl Visit {
    /// Begins a stage under another cookie, so that nothing made before it counts.
    fn renew(&mut self, stage: Stage) {
        self.pass = Pass::new(self.pass.language.clone(), stage, self.now());
    }
}
