//! Programs and people that use the cluster while it is being broken: alerts are raised, answered, acknowledged, resolved
//! and read at any node; phones answer the texts they get.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::book::{Accepted, Book, Commit, Confirmed, Fate};
use crate::client::{Answer, Door, Reply};
use crate::cluster::{Cluster, person_key};
use crate::history::{Operation, Record, Seen, Told, Word};
use crate::world::{PEOPLE, TEXTERS, World, civil_ms, phone};

/// Clients at work at the same time.
const CLIENTS: u64 = 4;

/// Alerts under discussion at once.
const LIVE_MAX: usize = 8;

/// Operations on one alert, so that its history can be checked in a moment.
const OPERATIONS_MAX: u32 = 12;

/// How long a client waits for one answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// How often a client repeats, elsewhere under the same key, what nobody confirmed.
const TRIES: u32 = 4;

/// Clients and phones at work.
pub(crate) struct Load {
    over: CancellationToken,
    tasks: JoinSet<()>,
}

/// What all clients share.
struct Common {
    book: Arc<Book>,
    live: Mutex<Vec<Live>>,
    next: Mutex<u64>,
    seed: u64,
}

/// An alert under discussion.
#[derive(Clone, Debug)]
struct Live {
    name: String,
    id: String,
    operations: u32,
    /// The person who answers through the API.
    person: usize,
}

/// One client.
struct Client {
    common: Arc<Common>,
    doors: Vec<Door>,
    chance: StdRng,
    counter: u64,
}

impl Load {
    pub(crate) fn start(
        cluster: &Cluster,
        world: &Arc<World>,
        book: &Arc<Book>,
        seed: u64,
    ) -> Self {
        let over = CancellationToken::new();
        let common = Arc::new(Common {
            book: Arc::clone(book),
            live: Mutex::default(),
            next: Mutex::default(),
            seed,
        });
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let mut client = Client {
                common: Arc::clone(&common),
                doors: (0..cluster.nodes.len()).map(|n| cluster.door(n)).collect(),
                chance: StdRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number)),
                counter: number << 32,
            };
            let over = over.clone();
            tasks.spawn(async move {
                while !over.is_cancelled() {
                    client.act().await;
                }
            });
        }
        let (world, book, over2) = (Arc::clone(world), Arc::clone(book), over.clone());
        tasks.spawn(async move { answer_texts(&world, &book, seed, &over2).await });
        Self { over, tasks }
    }

    /// Stops; what is being asked is asked to its end.
    pub(crate) async fn stop(mut self) {
        self.over.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Client {
    async fn act(&mut self) {
        let pause = self.chance.random_range(80..500);
        sleep(Duration::from_millis(pause)).await;
        let chosen = self.choose();
        let Some(live) = chosen else {
            self.raise().await;
            return;
        };
        let done = OPERATIONS_MAX <= live.operations;
        let word = *Word::ALL.choose(&mut self.chance).unwrap_or(&Word::Coming);
        let person = live.person;
        match self.chance.random_range(0..100) {
            _ if done => self.change(&live, Operation::Resolve).await,
            0..45 => self.read(&live).await,
            45..85 => self.change(&live, Operation::Answer { person, word }).await,
            85..93 => self.change(&live, Operation::Acknowledge).await,
            _ => self.change(&live, Operation::Resolve).await,
        }
    }

    /// An alert to do something with, or none: then it is time for a new one.
    fn choose(&mut self) -> Option<Live> {
        let mut all = self.common.live();
        if all.len() < LIVE_MAX && self.chance.random_range(0..100) < 15 || all.is_empty() {
            return None;
        }
        let index = self.chance.random_range(0..all.len());
        all[index].operations += 1;
        if all[index].operations > OPERATIONS_MAX {
            return Some(all.remove(index));
        }
        Some(all[index].clone())
    }

    async fn raise(&mut self) {
        let name = self.common.new_name();
        let person = self.chance.random_range(TEXTERS..PEOPLE);
        let texter = self.chance.random_range(0..TEXTERS);
        let severity = ["critical", "high", "normal"];
        let severity = severity.choose(&mut self.chance).unwrap_or(&"high");
        let body = json!({
            "text": format!("Pump {name} has tripped"),
            "severity": severity,
            "to": { "people": [person_key(person), person_key(texter)] },
            "needed": 1, "repeat_every_s": 20, "repeats": 1, "validity_s": 150,
        });
        let asked = self.ask("/v1/alerts", &body).await;
        let Some(answer) = self.note(&name, Operation::Raise, &asked) else {
            return;
        };
        let id = answer.body["id"].as_str().unwrap_or_default().to_owned();
        let accepted = Accepted {
            id: id.clone(),
            people: vec![person, texter],
            island: answer.island,
        };
        self.common
            .book
            .open()
            .accepted
            .insert(name.clone(), accepted);
        self.common.live().push(Live {
            name,
            id,
            operations: 0,
            person,
        });
    }

    async fn change(&mut self, live: &Live, operation: Operation) {
        let (verb, body) = match operation {
            Operation::Acknowledge => ("acknowledge", json!({ "note": "" })),
            Operation::Answer { person, word } => (
                "answer",
                json!({ "person": person_key(person), "answer": word.name() }),
            ),
            Operation::Resolve | Operation::Raise | Operation::Read => {
                ("resolve", json!({ "note": "" }))
            }
        };
        let asked = self
            .ask(&format!("/v1/alerts/{}/{verb}", live.id), &body)
            .await;
        let answer = self.note(&live.name, operation, &asked);
        let mut pages = self.common.book.open();
        if let (Some(answer), Operation::Answer { person, .. }) = (answer, operation) {
            pages.confirmed.push(Confirmed {
                at_ms: civil_ms(),
                alert: live.name.clone(),
                person,
                island: answer.island,
            });
        }
        drop(pages);
        if operation == Operation::Resolve {
            self.common.live().retain(|other| other.name != live.name);
        }
    }

    async fn read(&mut self, live: &Live) {
        let index = self.chance.random_range(0..self.doors.len());
        let path = format!("/v1/alerts/{}?consistency=linearizable", live.id);
        let asked_us = self.common.book.now_us();
        let door = &mut self.doors[index];
        let reply = door.ask(Method::GET, &path, None, None, PATIENCE).await;
        let Reply::Answer(answer) = reply else {
            return; // a read without an answer says nothing
        };
        let told = match (answer.status, answer.problem()) {
            (200, _) => Told::Seen(seen(&answer.body)),
            (404, "unknown-alert") => Told::Missing,
            (503 | 504, _) => return,
            (status, problem) => {
                let odd = format!("site {}: a read was answered {status} {problem}", index + 1);
                self.common.book.open().odd.push(odd);
                return;
            }
        };
        let told_us = self.common.book.now_us();
        self.common.book.open().records.push(Record {
            alert: live.name.clone(),
            operation: Operation::Read,
            asked_us,
            told_us,
            told: Some(told),
            island: answer.island,
            sites: vec![index as u8 + 1],
        });
    }

    /// Asks for a change, and again elsewhere under the same key, until somebody says what came of it.
    async fn ask(&mut self, path: &str, body: &Value) -> Asked {
        self.counter += 1;
        let key = format!("chaos-{}-{}", self.common.seed, self.counter);
        let mut asked = Asked {
            asked_us: self.common.book.now_us(),
            answer: None,
            may_have_happened: false,
            sites: Vec::new(),
        };
        let first = self.chance.random_range(0..self.doors.len());
        for attempt in 0..TRIES as usize {
            let index = (first + attempt) % self.doors.len();
            asked.sites.push(index as u8 + 1);
            let door = &mut self.doors[index];
            let reply = door
                .ask(Method::POST, path, Some(body), Some(&key), PATIENCE)
                .await;
            match reply {
                Reply::Answer(answer) if answer.status == 504 => asked.may_have_happened = true,
                Reply::Answer(answer) if matches!(answer.status, 429 | 503 | 507) => {}
                Reply::Answer(answer) => {
                    asked.answer = Some(answer);
                    break;
                }
                Reply::Silent => asked.may_have_happened = true,
                Reply::Unreached => {}
            }
        }
        asked
    }

    /// Writes down what came of a change; gives the answer if it was a good one.
    fn note(&self, alert: &str, operation: Operation, asked: &Asked) -> Option<Answer> {
        let book = &self.common.book;
        let told_us = book.now_us();
        let mut pages = book.open();
        let island = asked.answer.as_ref().is_some_and(|answer| answer.island);
        let (told, fate) = match &asked.answer {
            Some(answer) if answer.is_good() && island => (Some(Told::Done), Fate::Island),
            Some(answer) if answer.is_good() => (Some(Told::Done), Fate::Replicated),
            Some(answer) => match answer.problem() {
                "alert-closed" => (Some(Told::Closed), Fate::Replicated),
                "unknown-alert" => (Some(Told::Missing), Fate::Replicated),
                "unknown-recipient" => (Some(Told::NotCalled), Fate::Replicated),
                problem => {
                    pages.odd.push(format!(
                        "sites {:?}: {operation:?} of {alert} was answered {} {problem}: {}",
                        asked.sites, answer.status, answer.body["detail"]
                    ));
                    (None, Fate::Unknown)
                }
            },
            None if asked.may_have_happened => (None, Fate::Unknown),
            None => (None, Fate::Refused),
        };
        pages.commits.push(Commit {
            asked_us: asked.asked_us,
            took_us: told_us - asked.asked_us,
            fate,
        });
        if fate == Fate::Refused {
            return None;
        }
        pages.records.push(Record {
            alert: alert.to_owned(),
            operation,
            asked_us: asked.asked_us,
            told_us,
            told,
            island,
            sites: asked.sites.clone(),
        });
        drop(pages);
        asked.answer.clone().filter(Answer::is_good)
    }
}

/// A change that was asked for.
struct Asked {
    asked_us: u64,
    answer: Option<Answer>,
    may_have_happened: bool,
    sites: Vec<u8>,
}

impl Common {
    fn live(&self) -> std::sync::MutexGuard<'_, Vec<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A word that stands in this alert's text and in no other.
    fn new_name(&self) -> String {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        format!("z{}q", *next)
    }
}

/// What a shown alert says of the things clients change.
fn seen(alert: &Value) -> Seen {
    let mut seen = Seen {
        acknowledged: !alert["acknowledged_at"].is_null(),
        closed: alert["state"] != "open",
        ..Seen::default()
    };
    for called in alert["called"].as_array().map_or(&[][..], Vec::as_slice) {
        let key = called["person"]["key"].as_str().unwrap_or_default();
        let person = (TEXTERS..PEOPLE).find(|person| person_key(*person) == key);
        if let Some(person) = person {
            seen.answers[person] = called["answer"].as_str().and_then(Word::parse);
        }
    }
    seen
}

/// People who read the texts on their phones and answer most of them after a while.
async fn answer_texts(world: &World, book: &Book, seed: u64, over: &CancellationToken) {
    let mut chance = StdRng::seed_from_u64(seed ^ 0x7e47);
    let mut read = 0;
    let mut names = BTreeMap::new();
    while !over.is_cancelled() {
        sleep(Duration::from_millis(250)).await;
        let texts = world.texts(read);
        read += texts.len();
        for text in texts {
            let Some(person) = (0..TEXTERS).find(|person| phone(*person) == text.phone) else {
                continue;
            };
            if let Some(code) = code_in(&text.text) {
                if let (Some(number), Some(name)) = (number_in(&text.text), name_in(&text.text)) {
                    names.insert(number.to_owned(), name.to_owned());
                }
                if chance.random_range(0..100) < 60 {
                    let answer = format!("{code} {}", chance.random_range(1..=3));
                    // A phone whose text does not leave is a phone that did not answer.
                    _ = world.text(&text.phone, &text.from, &answer).await;
                }
            } else if text.text.starts_with("Noted")
                && let Some(alert) = number_in(&text.text).and_then(|number| names.get(number))
            {
                book.open().confirmed.push(Confirmed {
                    at_ms: text.at_ms,
                    alert: alert.clone(),
                    person,
                    island: text.text.contains(" alone"),
                });
            }
        }
    }
}

/// The code in a text that pages somebody: what stands before ` 1=`.
pub(crate) fn code_in(text: &str) -> Option<&str> {
    let (before, _) = text.split_once(" 1=")?;
    let code = before.rsplit([' ', '\n']).next()?;
    (code.len() >= 4 && code.bytes().all(|b| b.is_ascii_digit())).then_some(code)
}

/// The word by which an alert is known in a text about it.
pub(crate) fn name_in(text: &str) -> Option<&str> {
    text.split_ascii_whitespace().find(|word| {
        let digits = word.strip_prefix('z').and_then(|w| w.strip_suffix('q'));
        digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// The number of the alert a text is about: `Energy 12:` in a page, `Alert 12` in a confirmation.
fn number_in(text: &str) -> Option<&str> {
    let (_, after) = text
        .split_once("Alert ")
        .or_else(|| text.split_once("Energy "))?;
    let word = after.split_ascii_whitespace().next()?;
    Some(word.trim_end_matches([':', '.', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_its_alert_and_its_code() {
        let text = "4711 Aurora Energy 12: Pump z31q has tripped\nReply 4711 1=coming 2=cannot";
        assert_eq!((name_in(text), code_in(text)), (Some("z31q"), Some("4711")));
        let noted = "Noted 03:12 UTC, Person 1: coming. Alert 12 Aurora Energy.";
        assert_eq!(
            (number_in(text), number_in(noted)),
            (Some("12"), Some("12"))
        );
        assert_eq!(code_in(noted), None);
    }
}
