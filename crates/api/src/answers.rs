//! Answers that are the same for whoever may have them: made once for each state of this node, however many ask.
//!
//! A thousand apps ask for the open alerts within the same 150 ms, whenever one is raised.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tokio::sync::OnceCell;

use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// Questions whose answers are kept at once.
const KEPT_MAX: usize = 32;

/// The longest an answer is given again: it says as of when it holds, and that goes on without changes.
const GIVEN_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_question: Mutex<BTreeMap<String, Arc<Kept>>>,
}

/// The answer to one question in one state.
#[derive(Debug)]
struct Kept {
    /// The number of the last change before it was made.
    change: u64,
    /// On this machine's clock.
    asked_at: Duration,
    answer: OnceCell<Answer>,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answers {
    /// The answer to `question`: one that was made since the last change, or what `make` answers.
    ///
    /// # Errors
    ///
    /// Those of `make`; they are kept for nobody else.
    pub(crate) async fn once(
        &self,
        shared: &Shared,
        question: String,
        make: impl Future<Output = Result<Response, Problem>>,
    ) -> Result<Response, Problem> {
        // Taken before the state is looked at: what is made holds at least this change.
        let change = *shared.replica.changes().borrow();
        let kept = self.place(question, change, shared.clock.boot());
        let answer = kept
            .answer
            .get_or_try_init(|| async {
                let (parts, body) = make.await?.into_parts();
                let body = body.collect().await.map_err(|error| {
                    Problem::new(Kind::Internal, format!("the answer broke off: {error}"))
                })?;
                Ok::<_, Problem>(Answer {
                    status: parts.status,
                    headers: parts.headers,
                    body: body.to_bytes(),
                })
            })
            .await?;
        let mut response = Response::new(Body::from(answer.body.clone()));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers.clone();
        Ok(response)
    }

    fn place(&self, question: String, change: u64, now: Duration) -> Arc<Kept> {
        let mut all = self
            .by_question
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&question);
        if let Some(kept) = known.filter(|kept| kept.holds(change, now)) {
            return Arc::clone(kept);
        }
        if all.len() >= KEPT_MAX {
            all.retain(|_, kept| kept.holds(change, now));
            if all.len() >= KEPT_MAX {
                all.clear();
            }
        }
        let kept = Arc::new(Kept {
            change,
            asked_at: now,
            answer: OnceCell::new(),
        });
        all.insert(question, Arc::clone(&kept));
        kept
    }
}

impl Kept {
    fn holds(&self, change: u64, now: Duration) -> bool {
        self.change == change && now.saturating_sub(self.asked_at) < GIVEN_AGAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_again_until_something_changes_or_a_second_is_over() {
        let answers = Answers::default();
        let ask =
            |change, ms| answers.place("alerts open".to_owned(), change, Duration::from_millis(ms));
        let first = ask(7, 0);
        assert!(Arc::ptr_eq(&first, &ask(7, 999)));
        assert!(!Arc::ptr_eq(&first, &ask(7, 1_000)));
        let changed = ask(8, 1_000);
        assert!(!Arc::ptr_eq(&first, &changed));
        assert!(Arc::ptr_eq(&changed, &ask(8, 1_001)));
    }

    #[test]
    fn many_questions_take_bounded_room() {
        let answers = Answers::default();
        for number in 0..1_000 {
            answers.place(number.to_string(), 1, Duration::ZERO);
        }
        assert!(answers.by_question.lock().unwrap().len() <= KEPT_MAX);
    }
}
