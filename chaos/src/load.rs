//! Alerts raised without pause, each under a key of its own, asked again elsewhere with the same key until accepted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::cluster::Access;

/// Alerts under way at once.
const RAISERS: usize = 3;

/// Accepted alerts: text to id.
pub(crate) type Accepted = BTreeMap<String, String>;

/// Raisers at work.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    raisers: Vec<JoinHandle<Accepted>>,
}

impl Load {
    pub(crate) fn start(access: &Access, seed: u64) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let raisers = (0..RAISERS)
            .map(|raiser| {
                let (over, access) = (Arc::clone(&over), access.clone());
                std::thread::spawn(move || raise_until(&over, &access, seed, raiser))
            })
            .collect();
        Self { over, raisers }
    }

    /// Stops raising and gives what was accepted. What was under way is asked again until it is decided.
    pub(crate) fn stop(self) -> Accepted {
        self.over.store(true, Ordering::Relaxed);
        self.raisers
            .into_iter()
            .filter_map(|raiser| raiser.join().ok())
            .flatten()
            .collect()
    }
}

fn raise_until(over: &AtomicBool, access: &Access, seed: u64, raiser: usize) -> Accepted {
    let mut accepted = Accepted::new();
    for number in 0_usize.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let text = format!("chaos {seed} {raiser} {number}");
        // An answer that was lost must not make a second alert: the key stays the same on whichever node is asked.
        for attempt in 0..60 {
            let answer = access.ask(
                raiser + number + attempt,
                &[
                    "alert",
                    "raise",
                    &text,
                    "--to",
                    "person:anna",
                    "--status",
                    "test",
                    "--severity",
                    "low",
                    "--idempotency-key",
                    &text,
                ],
            );
            if let Some(id) = answer.as_ref().and_then(|answer| answer["id"].as_str()) {
                accepted.insert(text, id.to_owned());
                break;
            }
        }
    }
    accepted
}
