//! Where signals queue for the log. One command at a time is under way from here, with whatever has gathered: a storm of
//! webhooks costs the log a fraction of what it would one by one. Commands from here are short, and after each the desk rests
//! as long as it took: at least half of all time, a person's raise finds none of them before it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::ports::{Proposal, ProposeError};
use domain::sources::{ARRIVALS_MAX, Arrival, Command};
use domain::{Command as DomainCommand, Outcome, RequestId};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;

use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// Most signals that wait on this node, and of one source, so that one that floods leaves room for the others.
const QUEUE_MAX: usize = 5_000;
const QUEUE_OF_SOURCE_MAX: usize = 500;

/// Most signals of one command: while it is applied, whatever came after it waits.
const AT_ONCE_MAX: usize = 25;

/// The longest rest after a command.
const REST_MAX: Duration = Duration::from_millis(250);

/// The replica ends a proposal by its own, shorter deadline.
const PROPOSE_TIME: Duration = Duration::from_secs(60);

type Answer = Result<(), ProposeError>;

/// The queue, and whose turn it is to empty it.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    queue: Mutex<Queue>,
    /// Whoever holds it empties the queue, once the rest after the command before is over.
    turn: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    len: usize,
    of_source: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Waiting {
    source: String,
    arrivals: Vec<Arrival>,
    done: oneshot::Sender<Answer>,
}

impl Queue {
    fn push(&mut self, waiting: Waiting) -> Result<(), Problem> {
        let of_source = self.of_source.entry(waiting.source.clone()).or_default();
        let count = waiting.arrivals.len();
        if self.len + count > QUEUE_MAX || *of_source + count > QUEUE_OF_SOURCE_MAX {
            let detail =
                "too many signals wait here; send it again in a moment, here or to another node";
            return Err(Problem::new(Kind::Overloaded, detail));
        }
        *of_source += count;
        self.len += count;
        self.waiting.push_back(waiting);
        Ok(())
    }

    /// As many from the front as go into one command.
    fn pop(&mut self) -> Vec<Waiting> {
        let mut batch = Vec::new();
        let mut count = 0;
        while let Some(first) = self.waiting.front() {
            count += first.arrivals.len();
            if count > AT_ONCE_MAX && !batch.is_empty() {
                break;
            }
            let Some(waiting) = self.waiting.pop_front() else {
                break;
            };
            self.len -= waiting.arrivals.len();
            if let Some(of_source) = self.of_source.get_mut(&waiting.source) {
                *of_source -= waiting.arrivals.len();
                if *of_source == 0 {
                    self.of_source.remove(&waiting.source);
                }
            }
            batch.push(waiting);
        }
        batch
    }
}

impl Desk {
    /// Puts what one source said through the log; answered once it is there.
    pub(crate) async fn take(
        &self,
        shared: &Shared,
        source: &str,
        arrivals: Vec<Arrival>,
    ) -> Result<(), Problem> {
        for some in arrivals.chunks(ARRIVALS_MAX) {
            let command = Command::Take {
                arrivals: some.to_vec(),
            };
            if !DomainCommand::Sources(command).fits(shared.machine.disk().disk) {
                let detail = "this node's disk is nearly full; send it to another node";
                return Err(Problem::new(Kind::DiskFull, detail));
            }
            let (done, answer) = oneshot::channel();
            self.lock().push(Waiting {
                source: source.to_owned(),
                arrivals: some.to_vec(),
                done,
            })?;
            self.wait(shared, answer).await?;
        }
        Ok(())
    }

    /// Waits for the answer, and does the work of all who wait when it is this caller's turn.
    async fn wait(
        &self,
        shared: &Shared,
        mut answer: oneshot::Receiver<Answer>,
    ) -> Result<(), Problem> {
        loop {
            let mut turn = tokio::select! {
                biased;
                answered = &mut answer => return said(answered),
                turn = self.turn.lock() => turn,
            };
            // Whoever had the turn before may have done this caller's work with theirs.
            if let Ok(answered) = answer.try_recv() {
                return said(Ok(answered));
            }
            if let Some(rested) = *turn {
                sleep_until(rested).await;
            }
            let batch = self.lock().pop();
            if batch.is_empty() {
                return said(answer.await);
            }
            let began = Instant::now();
            let answered = propose(shared, &batch).await;
            *turn = Some(Instant::now() + began.elapsed().min(REST_MAX));
            for waiting in batch {
                _ = waiting.done.send(answered.clone()); // one that hung up needs no answer
            }
            drop(turn);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn propose(shared: &Shared, batch: &[Waiting]) -> Answer {
    let arrivals: Vec<Arrival> = batch
        .iter()
        .flat_map(|waiting| waiting.arrivals.iter().cloned())
        .collect();
    let count = arrivals.len();
    let command = DomainCommand::Sources(Command::Take { arrivals });
    // A signal that is taken twice is counted twice and told once, so chance is good enough for a name.
    let request = RequestId(rand::random());
    let proposed = timeout(
        PROPOSE_TIME,
        shared.replica.propose(Proposal::by_loop(request, command)),
    )
    .await;
    let committed = proposed.unwrap_or(Err(ProposeError::Unknown))?;
    debug!(index = committed.index, count, "signals committed");
    match committed.outcome {
        Outcome::Applied(_) | Outcome::Unchanged => Ok(()),
        outcome @ (Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => {
            tracing::error!(?outcome, "signals were not taken");
            Err(ProposeError::Unknown)
        }
    }
}

/// What the sender is told. One whose fellow hung up with all of their work does not know how it ended.
fn said(answered: Result<Answer, oneshot::error::RecvError>) -> Result<(), Problem> {
    answered
        .unwrap_or(Err(ProposeError::Unknown))
        .map_err(|error| match error {
            ProposeError::Unknown => Problem::new(
                Kind::OutcomeUnknown,
                "the cluster did not answer in time and may still take it; send it again, here or to another node",
            ),
            ProposeError::Refused(_) => Problem::new(Kind::Unavailable, error.to_string()),
            ProposeError::Overloaded => Problem::new(Kind::Overloaded, error.to_string()),
        })
}
