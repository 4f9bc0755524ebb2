//! Programs that write and read registers at one node, and do not take silence for an answer.

use std::sync::Arc;
use std::time::Duration;

use domain::{Outcome, RequestId};
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use crate::node::{Fate, KEYS, Member};
use crate::plants::Plant;

/// How long a program waits for one answer.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Writes and reads until the node ends.
pub(crate) async fn run(member: Arc<Member>, name: String, mut chance: StdRng) {
    let mut written = 0_u32;
    loop {
        sleep(Duration::from_millis(chance.random_range(20..250))).await;
        let key = KEYS[chance.random_range(0..KEYS.len())];
        if chance.random_range(0..5) < 2 {
            read(&member, key).await;
            continue;
        }
        written += 1;
        let value = format!("{name}-{written}");
        let request = RequestId::derive(&[value.as_bytes()]);
        // Asked again after silence, as the same request; now and then also after a yes, as when the yes got lost.
        for _ in 0..4 {
            let known = write(&member, request, key, &value).await;
            let again = match known {
                true => chance.random_range(0..8) == 0,
                false => chance.random_range(0..4) > 0,
            };
            if !again {
                break;
            }
            sleep(Duration::from_millis(chance.random_range(50..1_500))).await;
        }
    }
}

/// One try at a write; true when its fate is known.
pub(crate) async fn write(member: &Member, request: RequestId, key: &str, value: &str) -> bool {
    let (asked_at, deadline) = (member.witness.now(), Instant::now() + PATIENCE);
    let record = member.record(request, key, value);
    match member.write(&record, deadline).await {
        Fate::Committed { index, outcome } => {
            member
                .witness
                .acknowledged(member.node, request, Some(index), &outcome, asked_at);
            true
        }
        Fate::Unknown if member.plant == Some(Plant::UnknownIsYes) => {
            let outcome = Outcome::Applied(domain::Receipt::Count(1));
            member
                .witness
                .acknowledged(member.node, request, None, &outcome, asked_at);
            true
        }
        Fate::Unknown => {
            member.witness.count(|counts| counts.unknown += 1);
            false
        }
        Fate::NotLeader => false,
    }
}

async fn read(member: &Member, key: &str) {
    let (asked_at, floor) = (member.witness.now(), member.witness.floor());
    let found = member.read(key, Instant::now() + PATIENCE).await;
    if let Some((index, value)) = found {
        member
            .witness
            .answered(member.node, key, index, &value, floor, asked_at);
    }
}
