use std::sync::Arc;

use domain::ids::DeliveryId;
use domain::ports::{ChannelEvent, Permit};

use super::*;
use crate::ledger::Ledger;

/// An outbox with its ledger and a modem that answers as told.
struct Bench {
    outbox: Outbox,
    ledger: Arc<Ledger>,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            outbox: Outbox::new(now, 10, 20, true),
            ledger: Ledger::new(8, 4),
            now,
        }
    }

    fn ring(&mut self, number: u8, address: &str) {
        self.take_either(number, address, "", false, true);
    }

    fn take(&mut self, number: u8, address: &str, body: &str, urgent: bool) {
        self.take_either(number, address, body, urgent, false);
    }

    fn take_either(&mut self, number: u8, address: &str, body: &str, urgent: bool, ring: bool) {
        let attempt = AttemptRef {
            delivery: DeliveryId([number; 16]),
            attempt: 1,
        };
        let message = Outgoing {
            permit: Permit::always(),
            attempt,
            address: address.to_owned(),
            ring,
            subject: String::new(),
            body: body.to_owned(),
            validity: Duration::from_secs(3600),
            urgent,
            reply: None,
        };
        let ticket = self.ledger.open(attempt).unwrap();
        self.outbox.take(self.now, message, ticket);
    }

    /// Starts the next message and gives the modem's answers to its parts; tells how many parts were handed over.
    fn send(&mut self, answers: &[Outcome]) -> usize {
        let mut next = self
            .outbox
            .next_parts(self.now)
            .and_then(|_| self.outbox.start(self.now, 77));
        let mut handed = 0;
        for answer in answers {
            let Some(Submission::Part(id, _)) = next else {
                break;
            };
            handed += 1;
            next = self.outbox.ended(id, answer.clone()).submit;
        }
        handed + usize::from(next.is_some())
    }

    fn ends(&self) -> Vec<(u8, SendOutcome)> {
        let mut ends = Vec::new();
        while let Some(event) = self.ledger.poll() {
            if let ChannelEvent::Ended { attempt, outcome } = event {
                ends.push((attempt.delivery.0[0], outcome));
            }
        }
        ends
    }

    fn only_end(&self) -> SendOutcome {
        let mut ends = self.ends();
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends.remove(0).1
    }
}

fn part(submission: Option<Submission>) -> (SubmitId, SubmitPdu) {
    let Some(Submission::Part(id, pdu)) = submission else {
        panic!("not a part of a text: {submission:?}");
    };
    (id, pdu)
}

fn accepted(reference: u8) -> Outcome {
    Outcome::Accepted {
        message_reference: Some(reference),
    }
}

fn refused(class: ErrorClass, cms: u16) -> Outcome {
    let reason = RefusalReason::Error(FinalError::Cms(cms));
    Outcome::Refused {
        class,
        reason,
        retry_after: Duration::from_secs(300),
    }
}

const PHONE: &str = "+358401234567";

#[test]
fn a_short_text_is_accepted_with_its_part() {
    let mut bench = Bench::new();
    bench.take(1, PHONE, "4711 water", false);
    assert_eq!(bench.send(&[accepted(9)]), 1);
    assert_eq!(
        bench.only_end(),
        SendOutcome::Accepted {
            detail: "1 part, reference 9".to_owned()
        }
    );
}

#[test]
fn a_long_text_goes_part_by_part_under_one_reference() {
    let mut bench = Bench::new();
    bench.take(1, PHONE, &"x".repeat(400), false);
    assert_eq!(bench.outbox.next_parts(bench.now), Some(3));
    let (mut id, mut pdu) = part(bench.outbox.start(bench.now, 77));
    for sequence in 1..=3 {
        let concatenation = pdu.user_data.concatenation().unwrap();
        assert_eq!(
            (
                concatenation.reference,
                concatenation.sequence,
                concatenation.total
            ),
            (77, sequence, 3)
        );
        assert!(pdu.status_report_request);
        if let Some(next) = bench.outbox.ended(id, accepted(sequence)).submit {
            (id, pdu) = part(Some(next));
        }
    }
    assert_eq!(
        bench.only_end(),
        SendOutcome::Accepted {
            detail: "3 parts, reference 1 2 3".to_owned()
        }
    );
}

#[test]
fn a_refusal_ends_the_message_as_its_class_says() {
    for (class, permanent) in [
        (ErrorClass::Temporary, false),
        (ErrorClass::OtherNode, false),
        (ErrorClass::NodeDown, false),
        (ErrorClass::Permanent, true),
        (ErrorClass::OurBug, true),
    ] {
        let mut bench = Bench::new();
        bench.take(1, PHONE, &"x".repeat(400), false);
        assert_eq!(
            bench.send(&[refused(class, 38)]),
            1,
            "nothing follows a refused part"
        );
        let end = bench.only_end();
        let detail = format!(
            "CMS error 38 (3GPP TS 27.005 §3.2.5), class {}",
            class.letter()
        );
        assert_eq!(end, SendOutcome::Refused { permanent, detail });
    }
}

#[test]
fn a_refusal_of_the_sim_says_how_long_to_stop() {
    let mut bench = Bench::new();
    bench.take(1, PHONE, "hello", false);
    bench.outbox.next_parts(bench.now);
    let (id, _) = part(bench.outbox.start(bench.now, 0));
    let after = bench.outbox.ended(id, refused(ErrorClass::NodeDown, 8));
    assert_eq!(
        after.down.map(|(_, hold)| hold),
        Some(Duration::from_secs(300))
    );
}

#[test]
fn a_text_of_which_a_part_left_is_unknown_whatever_became_of_the_rest() {
    for answer in [
        refused(ErrorClass::Temporary, 42),
        Outcome::Unknown {
            reason: UnknownReason::Silence,
        },
    ] {
        let mut bench = Bench::new();
        bench.take(1, PHONE, &"x".repeat(400), false);
        assert_eq!(bench.send(&[accepted(1), answer]), 2);
        assert!(matches!(bench.only_end(), SendOutcome::Unknown { .. }));
    }
}

#[test]
fn what_cannot_be_sent_ends_at_once_and_for_good() {
    let mut bench = Bench::new();
    bench.take(1, "Aurora", "hello", false);
    bench.take(2, "", "hello", false);
    bench.take(3, "+12\r\nAT", "hello", false);
    bench.take(4, PHONE, &"x".repeat(5000), false);
    let ends = bench.ends();
    assert_eq!(ends.len(), 4);
    assert!(
        ends.iter().all(|(_, end)| matches!(
            end,
            SendOutcome::Refused {
                permanent: true,
                ..
            }
        )),
        "{ends:?}"
    );
    assert!(
        format!("{:?}", ends[3].1).contains("the text needs 33 SMS parts and 6 are allowed"),
        "{:?}",
        ends[3]
    );
}

#[test]
fn urgent_messages_overtake_ordinary_ones() {
    let mut bench = Bench::new();
    bench.take(1, PHONE, "ordinary", false);
    bench.take(2, PHONE, "urgent", true);
    bench.send(&[accepted(1)]);
    bench.send(&[accepted(2)]);
    assert_eq!(
        bench
            .ends()
            .iter()
            .map(|(number, _)| *number)
            .collect::<Vec<_>>(),
        [2, 1]
    );
}

#[test]
fn a_message_whose_time_is_over_is_not_sent() {
    let mut bench = Bench::new();
    bench.take(1, PHONE, "hello", true);
    assert!(bench.outbox.poll_timeout(bench.now).is_some());
    bench.now += Duration::from_secs(3601);
    assert_eq!(bench.outbox.next_parts(bench.now), None);
    assert!(matches!(
        bench.only_end(),
        SendOutcome::Refused {
            permanent: false,
            ..
        }
    ));
}

#[test]
fn the_rate_holds_back_and_says_until_when() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.take(1, PHONE, "hello", true);
        assert_eq!(bench.send(&[accepted(1)]), 1);
        bench.only_end();
    }
    bench.take(1, PHONE, "hello", true);
    assert_eq!(bench.send(&[accepted(1)]), 0);
    bench.now = bench.outbox.poll_timeout(bench.now).unwrap();
    assert_eq!(bench.send(&[accepted(1)]), 1);
}

#[test]
fn every_message_ends_when_the_outbox_is_dropped() {
    let mut bench = Bench::new();
    bench.take(1, PHONE, "under way", true);
    bench.take(2, PHONE, "waiting", false);
    bench.outbox.next_parts(bench.now);
    bench.outbox.start(bench.now, 0).unwrap();
    let Bench {
        outbox,
        ledger,
        now,
    } = bench;
    drop(outbox);
    let ends = Bench {
        outbox: Outbox::new(now, 10, 20, true),
        ledger,
        now,
    }
    .ends();
    assert_eq!(ends.len(), 2);
    for (number, end) in ends {
        let truthful = match number {
            1 => matches!(end, SendOutcome::Unknown { .. }),
            _ => matches!(
                end,
                SendOutcome::Refused {
                    permanent: false,
                    ..
                }
            ),
        };
        assert!(truthful, "{number}: {end:?}");
    }
}

#[test]
fn a_ring_waits_its_turn_and_ends_in_words() {
    for (outcome, end) in [
        (
            RingOutcome::Rang { alerted: true },
            "accepted: it rang and nobody took the call",
        ),
        (
            RingOutcome::Busy,
            "accepted: busy, or the call was turned down",
        ),
        (
            RingOutcome::Answered,
            "accepted: the call was taken, and hung up",
        ),
        (
            RingOutcome::NotReached,
            "refused: the network ended the call before the phone rang",
        ),
        (
            RingOutcome::Refused {
                reason: RefusalReason::NotRegistered,
            },
            "refused: the modem has no network",
        ),
        (
            RingOutcome::Unknown {
                reason: UnknownReason::PortLost,
            },
            "unknown: the modem went away while sending",
        ),
    ] {
        let mut bench = Bench::new();
        bench.take(1, "+358401234567", "hello", true);
        bench.ring(2, "+358401234567");
        assert_eq!(bench.outbox.next_parts(bench.now), Some(1));
        assert_eq!(bench.send(&[accepted(1)]), 1);
        assert_eq!(bench.ends().len(), 1);
        assert_eq!(bench.outbox.next_parts(bench.now), Some(0));
        let Some(Submission::Ring(id, number)) = bench.outbox.start(bench.now, 0) else {
            panic!("a ring was next");
        };
        assert_eq!(number.to_string(), "+358401234567");
        assert!(bench.outbox.is_sending());
        let report = bench.outbox.rang(id, outcome);
        assert_eq!(report.is_some(), outcome == RingOutcome::Answered);
        let words = match bench.only_end() {
            SendOutcome::Accepted { detail } => format!("accepted: {detail}"),
            SendOutcome::Refused { detail, .. } => format!("refused: {detail}"),
            SendOutcome::Unknown { detail } => format!("unknown: {detail}"),
        };
        assert_eq!(words, end);
    }
}
