//! Programs and operators that use the API: they raise, acknowledge, call off, join and post, and ask again at another
//! node under the same key until they are told.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::alerts::{self, Answer, Conduct, FromTemplate, Raise, Severity, Status, Step};
use domain::escalation::{Among, Quota};
use domain::ports::Proposal;
use domain::vocabulary::{Automation, Effect, When};
use domain::{
    Actor, AlertId, Command, NodeId, RecipientId, RequestId, RoomId, Timestamp, conversations,
};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::chronicle::Asked;
use crate::people::PEOPLE;

/// One thing a client wants.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub at: Duration,
    pub node: NodeId,
    pub request: RequestId,
    pub asked: Asked,
    /// Unique words, to find its effect by.
    pub words: String,
    pub command: Command,
    /// Told, and asks no more.
    pub done: bool,
    /// Asks once more although it was told: the answer was lost on the way to it.
    pub doubts: bool,
}

impl Errand {
    pub(crate) fn proposal(&self) -> Proposal {
        let mut body = [0; 32];
        body[..16].copy_from_slice(self.request.as_bytes());
        Proposal {
            request: self.request,
            body,
            actor: Actor::ApiKey {
                id: "client".to_owned(),
            },
            decided_under: None,
            command: self.command.clone(),
        }
    }
}

/// Draws everything clients will want between `from` and `to`.
pub(crate) fn plan(chance: &mut StdRng, nodes: u64, from: Duration, to: Duration) -> Vec<Errand> {
    let mut errands: Vec<Errand> = Vec::new();
    let count = chance.random_range(2..=5);
    for number in 0..count {
        let words = format!("Fire in hall {number}");
        let at = from + (to - from).mul_f64(chance.random_range(0.0..0.9));
        let command = Command::Alerts(alerts::Command::Raise(Box::new(raise(chance, &words))));
        let raised = errand(chance, nodes, at, Asked::Raise, words, command);
        let alert = AlertId::derive(&[raised.request.as_bytes()]);
        errands.push(raised);
        for turn in 0..chance.random_range(0..=2) {
            let later = at + Duration::from_millis(chance.random_range(3_000..200_000));
            let words = format!("word {turn} on {number}");
            let (asked, command) = follow_up(chance, alert, &words, &errands);
            errands.push(errand(chance, nodes, later.min(to), asked, words, command));
        }
    }
    errands.sort_by_key(|errand| errand.at);
    errands
}

fn errand(
    chance: &mut StdRng,
    nodes: u64,
    at: Duration,
    asked: Asked,
    words: String,
    command: Command,
) -> Errand {
    Errand {
        at,
        node: NodeId(chance.random_range(1..=nodes)),
        request: RequestId::derive(&[b"errand", words.as_bytes()]),
        asked,
        words,
        command,
        done: false,
        doubts: chance.random_range(0..5) == 0,
    }
}

fn raise(chance: &mut StdRng, words: &str) -> Raise {
    let mut people: Vec<&str> = PEOPLE.iter().map(|(key, _, _)| *key).collect();
    let steps = (0..chance.random_range(1..=3))
        .map(|step| {
            let wanted = chance.random_range(1..=3);
            let mut recipients = Vec::new();
            for _ in 0..wanted {
                if !people.is_empty() {
                    let key = people.swap_remove(chance.random_range(0..people.len()));
                    recipients.push(RecipientId::of_key(key));
                }
            }
            let enough = enough(chance, &recipients);
            Step {
                delay_ms: step * chance.random_range(20_000..90_000),
                recipients,
                enough,
            }
        })
        .collect();
    let fallback = match chance.random_range(0..3) {
        0 => people.drain(..).take(2).map(RecipientId::of_key).collect(),
        _ => Vec::new(),
    };
    let severity = Severity::ALL[chance.random_range(0..4)];
    let robot = chance.random_range(0..3) == 0;
    Raise {
        severity,
        status: Status::Actual,
        texts: vec![("en".to_owned(), words.to_owned())],
        gather: String::new(),
        gather_in: Vec::new(),
        aware_at: None::<Timestamp>,
        steps,
        notes: Vec::new(),
        needed: chance.random_range(1..=2),
        repeat_every_ms: chance.random_range(60_000..150_000),
        repeats: chance.random_range(0..=2),
        validity_ms: [60_000, 180_000, 600_000][chance.random_range(0..3)],
        fallback,
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: conduct(words),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: robot.then(|| format!("sensor of {words}")),
        source: words.to_owned(),
        template: automated(words),
    }
}

/// Every other alert is from a template that says what follows from answers: one thing when somebody cannot, one when
/// too few are coming by a certain time, one when nobody answers.
fn automated(words: &str) -> Option<Box<FromTemplate>> {
    if !words.ends_with(['1', '3']) {
        return None;
    }
    let writes = |when: When, text: &str| Automation {
        when,
        then: vec![Effect::Post {
            text: text.to_owned(),
        }],
    };
    let cannot = When::Answered {
        count: 1,
        answer: Some(Answer::Cannot),
        among: Vec::new(),
    };
    let nobody = When::Nobody {
        after_ms: 30_000,
        answer: None,
        among: Vec::new(),
    };
    Some(Box::new(FromTemplate {
        key: "fire".to_owned(),
        version: 1,
        name: "Fire".to_owned(),
        values: BTreeMap::new(),
        gather: BTreeMap::new(),
        checklist: Vec::new(),
        documents: Vec::new(),
        attachments: Vec::new(),
        automations: vec![
            writes(cannot, "Somebody cannot."),
            writes(When::Incomplete { after_ms: 60_000 }, "Too few come."),
            writes(nobody, "Nobody answers."),
        ],
        requester: None,
        cause: None,
    }))
}

/// Of three alerts one asks nothing again, one reminds the silent, one does and lets "coming" lapse as well. By the words,
/// so that a seed draws what it drew before.
fn conduct(words: &str) -> Conduct {
    let turn = words.bytes().map(usize::from).sum::<usize>() % 3;
    Conduct {
        confirm_ms: [0, 0, 120_000][turn],
        remind_every_ms: 60_000,
        reminders: [0, 2, 1][turn],
        ..Conduct::default()
    }
}

/// Now and then a step says itself when it is answered enough: all of it, one of some, two different people.
fn enough(chance: &mut StdRng, people: &[RecipientId]) -> Vec<Quota> {
    let quota = |count, among| Quota {
        what: String::new(),
        among,
        count,
    };
    match chance.random_range(0..6) {
        0 => vec![quota(u32::MAX, Among::Step)],
        1 => vec![
            quota(1, Among::Anyone),
            quota(1, Among::Listed(people.iter().take(1).copied().collect())),
        ],
        2 => vec![quota(2, Among::Anyone)],
        _ => Vec::new(),
    }
}

fn follow_up(
    chance: &mut StdRng,
    alert: AlertId,
    words: &str,
    errands: &[Errand],
) -> (Asked, Command) {
    let raised: Vec<AlertId> = errands
        .iter()
        .filter(|errand| errand.asked == Asked::Raise)
        .map(|errand| AlertId::derive(&[errand.request.as_bytes()]))
        .collect();
    let into = raised[chance.random_range(0..raised.len())];
    let who = PEOPLE[chance.random_range(0..PEOPLE.len())].0;
    match chance.random_range(0..12) {
        0 | 1 => {
            let note = String::new();
            (
                Asked::Acknowledge(alert),
                Command::Alerts(alerts::Command::Acknowledge { alert, note }),
            )
        }
        2 | 3 => {
            let note = "done".to_owned();
            (
                Asked::Resolve(alert),
                Command::Alerts(alerts::Command::Resolve { alert, note }),
            )
        }
        4..=6 => {
            let reason = "false alarm".to_owned();
            (
                Asked::CallOff(alert),
                Command::Alerts(alerts::Command::CallOff { alert, reason }),
            )
        }
        7 if into != alert => (
            Asked::Join(alert),
            Command::Alerts(alerts::Command::Join { alert, into }),
        ),
        8 | 9 => {
            let answer = [Answer::Coming, Answer::Cannot][chance.random_range(0..2)];
            let recipient = RecipientId::of_key(who);
            (
                Asked::Answer(alert),
                Command::Alerts(alerts::Command::Answer {
                    alert,
                    recipient,
                    answer,
                    eta_min: None,
                }),
            )
        }
        _ => {
            let post = conversations::Command::Post {
                room: RoomId::of_alert(alert),
                author: "control room".to_owned(),
                text: words.to_owned(),
            };
            (Asked::Post, Command::Conversations(post))
        }
    }
}
