//! `GET /v1/events`: what changed, as it changes, so that an app looks again at exactly that (EXPERIENCE §6.3).
//!
//! Server-sent events read by `fetch`, because a proof must go in a header. An event names topics and carries no data:
//! what is to be seen comes from the routes, with their own rules about who may see it. A stream keeps no queue, only the
//! number of the last change it told of; a slow reader hears once of everything it missed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::topics::{Topic, Topics};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::Principal;
use crate::input::Params;
use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// Streams at once on this node. Each holds a connection; half of those a listener has stays for everything else: whoever
/// hears of something asks for it on another one.
const STREAMS_MAX: usize = 6_144;

/// Streams at once of one caller: a phone, its second tab, a wall board, and what it has not yet hung up.
const STREAMS_PER_CALLER_MAX: usize = 64;

/// A sign of life while nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Events of one stream are at least this far apart; what changes meanwhile comes in one.
const GAP: Duration = Duration::from_millis(200);

/// After this the caller shows again who they are, and goes on where they were.
const STREAM_TIME: Duration = Duration::from_secs(300);

/// How long the browser waits before it comes back, ms.
const RETRY_MS: u32 = 1_000;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(listen))
}

/// Who listens here.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// Numbers of changes mean something only within one run of the process.
    run: u32,
    by_caller: Mutex<BTreeMap<String, usize>>,
    closing: CancellationToken,
}

impl Listeners {
    pub(crate) fn new() -> Self {
        Self {
            run: rand::random(),
            by_caller: Mutex::default(),
            closing: CancellationToken::new(),
        }
    }

    /// Ends every stream, so that their connections do not hold the listeners open.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    fn place(self: &Arc<Self>, caller: String) -> Option<Place> {
        let mut held = self
            .by_caller
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.get(&caller).copied().unwrap_or_default();
        if all >= STREAMS_MAX || own >= STREAMS_PER_CALLER_MAX {
            return None;
        }
        held.insert(caller.clone(), own + 1);
        drop(held);
        Some(Place {
            caller,
            listeners: Arc::clone(self),
        })
    }

    /// `5f0c2a91-118`: the run and the number of a change.
    fn id(&self, number: u64) -> String {
        format!("{:08x}-{number}", self.run)
    }

    /// The number in an id of this run.
    fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        (u32::from_str_radix(run, 16).ok()? == self.run).then_some(())?;
        number.parse().ok()
    }
}

/// One of the places streams have; given back when dropped.
struct Place {
    caller: String,
    listeners: Arc<Listeners>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self
            .listeners
            .by_caller
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.caller) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                held.remove(&self.caller);
            }
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AfterParams {
    /// Id of the last event that was heard, to hear of everything since. Another node's, or one from too long ago, brings
    /// every topic once.
    after: Option<String>,
}

/// Says what changes, as server-sent events: `touched` names topics to look at again, `again` asks the caller to come back
/// at once and show who they are. Without `after`, the first event names everything.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(AfterParams), responses((status = 200, body = String, content_type = "text/event-stream")))]
async fn listen(
    State(shared): State<Shared>,
    axum::Extension(principal): axum::Extension<Principal>,
    Params(params): Params<AfterParams>,
) -> Result<Response, Problem> {
    let Some(place) = shared.listeners.place(principal.actor.label()) else {
        return Err(Problem::new(
            Kind::Overloaded,
            "too many listen to this node already; ask another node, or read without listening",
        ));
    };
    let after = params.after.as_deref();
    let stream = Stream {
        // Taken before the first look, so that nothing falls between.
        changes: shared.replica.changes(),
        told: after.and_then(|id| shared.listeners.number(id)),
        until: Instant::now() + STREAM_TIME,
        opened: false,
        over: false,
        principal,
        shared,
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(stream, Stream::next));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        // Whoever stands between must not collect events before passing them on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    Ok((headers, body).into_response())
}

struct Stream {
    shared: Shared,
    principal: Principal,
    changes: watch::Receiver<u64>,
    /// The number of the last change told; `None`: nothing yet.
    told: Option<u64>,
    until: Instant,
    opened: bool,
    over: bool,
    _place: Place,
}

impl Stream {
    /// The next piece of the stream; `None` at its end.
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        if self.over {
            return None;
        }
        if !self.opened {
            self.opened = true;
            let (number, topics) = self.look();
            self.told = Some(number);
            let opening = format!(
                "retry: {RETRY_MS}\n{}",
                self.event("touched", number, topics)
            );
            return Some((Ok(opening.into()), self));
        }
        let piece = loop {
            self.changes.borrow_and_update();
            let (number, topics) = self.look();
            self.told = Some(number);
            if topics.contains(Topic::Access) {
                self.over = true;
                break self.event("again", number, topics);
            }
            if !topics.is_empty() {
                break self.event("touched", number, topics);
            }
            let closing = self.shared.listeners.closing.clone();
            select! {
                () = closing.cancelled() => return None,
                () = sleep_until(self.until) => return None,
                changed = timeout(HEARTBEAT, self.changes.changed()) => match changed {
                    Ok(Ok(())) => sleep(GAP).await,
                    Ok(Err(_)) => return None,
                    Err(_) => break ": still here\n\n".to_owned(),
                },
            }
        };
        Some((Ok(piece.into()), self))
    }

    /// What changed since the last look, as far as this caller may know, and the number of the newest change.
    fn look(&self) -> (u64, Topics) {
        let (number, topics) = match (self.shared.replica.feed(), self.told) {
            (Some(feed), Some(told)) => feed.since(told),
            (Some(feed), None) => (feed.newest(), everything()),
            (None, told) => {
                let number = *self.changes.borrow();
                let still = told == Some(number);
                (number, if still { Topics::NONE } else { everything() })
            }
        };
        // Everyone may have to show again who they are, but not because a stream begins.
        let may = |topic: Topic| {
            topic
                .scope()
                .is_none_or(|scope| self.principal.may(scope).is_some())
        };
        (number, topics.kept(may))
    }

    fn event(&self, kind: &str, number: u64, topics: Topics) -> String {
        let names: Vec<_> = topics.iter().map(Topic::name).collect();
        let id = self.shared.listeners.id(number);
        format!(
            "event: {kind}\nid: {id}\ndata: {}\n\n",
            json!({ "topics": names })
        )
    }
}

/// Everything to look at.
fn everything() -> Topics {
    Topics::ALL.kept(|topic| topic != Topic::Access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_only_so_many_streams_and_gets_them_back() {
        let listeners = Arc::new(Listeners::new());
        let mut held: Vec<_> = (0..STREAMS_PER_CALLER_MAX)
            .map(|_| listeners.place("key:a".to_owned()))
            .collect();
        assert!(held.iter().all(Option::is_some));
        assert!(listeners.place("key:a".to_owned()).is_none());
        assert!(listeners.place("key:b".to_owned()).is_some());
        held.pop();
        assert!(listeners.place("key:a".to_owned()).is_some());
    }

    #[test]
    fn a_node_has_only_so_many_streams() {
        let listeners = Arc::new(Listeners::new());
        let held: Vec<_> = (0..STREAMS_MAX)
            .map(|n| listeners.place(format!("key:{n}")))
            .collect();
        assert!(held.iter().all(Option::is_some));
        assert!(listeners.place("key:one-more".to_owned()).is_none());
    }

    #[test]
    fn an_id_of_another_run_or_no_id_at_all_means_nothing() {
        let listeners = Listeners::new();
        assert_eq!(listeners.number(&listeners.id(118)), Some(118));
        let other = format!("{:08x}-118", listeners.run.wrapping_add(1));
        for id in [other.as_str(), "", "118", "-", "zz-1", "é-1"] {
            assert_eq!(listeners.number(id), None, "{id:?}");
        }
    }
}
