//! What becomes of texts and mails between our channels and people: taken or refused, late, lost, doubled, reported.

use std::time::Duration;

use domain::deliveries::{Report, SendOutcome};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// The fate of one send.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    /// When the channel knows its end.
    pub ends_in: Duration,
    pub outcome: SendOutcome,
    /// The network really took it, whatever the channel knows.
    pub leaves: bool,
    /// When it reaches the phone, after it left; twice, once or never.
    pub arrives_in: Vec<Duration>,
    /// The network's later words, after it left.
    pub reports: Vec<(Duration, Report)>,
}

/// Draws the fate of a ring: no text leaves by it, so nobody reads one.
pub(crate) fn ring(chance: &mut StdRng, bad: bool) -> Fate {
    let drawn = sms(chance, bad);
    Fate {
        ends_in: ms(chance, 3_000, 30_000),
        leaves: false,
        arrives_in: Vec::new(),
        reports: Vec::new(),
        ..drawn
    }
}

/// Draws the fate of an SMS.
pub(crate) fn sms(chance: &mut StdRng, bad: bool) -> Fate {
    let (refused, unknown, lost, twice) = if bad {
        (250, 150, 150, 100)
    } else {
        (15, 15, 10, 5)
    };
    let draw = chance.random_range(0..1_000);
    let (outcome, leaves) = if draw < refused {
        let permanent = chance.random_range(0..6) == 0;
        (refusal(permanent), false)
    } else if draw < refused + unknown {
        (unknown_end(), chance.random_range(0..2) == 0)
    } else {
        (accepted(), true)
    };
    let mut arrives_in = Vec::new();
    if leaves && chance.random_range(0..1_000) >= lost {
        arrives_in.push(ms(chance, 800, 8_000));
        if chance.random_range(0..1_000) < twice {
            arrives_in.push(ms(chance, 8_000, 90_000));
        }
    }
    let mut reports = Vec::new();
    let detail = String::new;
    match chance.random_range(0..20) {
        0..=12 => reports.push((
            ms(chance, 1_000, 20_000),
            Report::Delivered { detail: detail() },
        )),
        13 => reports.push((
            ms(chance, 5_000, 90_000),
            Report::Failed { detail: detail() },
        )),
        14 | 15 => {
            reports.push((
                ms(chance, 5_000, 30_000),
                Report::Delayed { detail: detail() },
            ));
            reports.push((
                ms(chance, 30_000, 200_000),
                Report::Delivered { detail: detail() },
            ));
        }
        16 => {
            let report = Report::Delivered { detail: detail() };
            reports.push((ms(chance, 1_000, 20_000), report.clone()));
            reports.push((ms(chance, 20_000, 40_000), report));
        }
        _ => {} // never
    }
    if !leaves {
        reports.clear();
    }
    Fate {
        ends_in: ms(chance, 600, 4_000),
        outcome,
        leaves,
        arrives_in,
        reports,
    }
}

/// Draws the fate of a mail.
pub(crate) fn mail(chance: &mut StdRng, bad: bool) -> Fate {
    let refused = if bad { 300 } else { 20 };
    let taken = chance.random_range(0..1_000) >= refused;
    Fate {
        ends_in: ms(chance, 100, 1_500),
        outcome: if taken { accepted() } else { refusal(false) },
        leaves: taken,
        arrives_in: Vec::new(),
        reports: Vec::new(),
    }
}

fn accepted() -> SendOutcome {
    SendOutcome::Accepted {
        detail: "taken".to_owned(),
    }
}

fn refusal(permanent: bool) -> SendOutcome {
    SendOutcome::Refused {
        permanent,
        detail: "refused".to_owned(),
    }
}

pub(crate) fn unknown_end() -> SendOutcome {
    SendOutcome::Unknown {
        detail: "no answer".to_owned(),
    }
}

fn ms(chance: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(chance.random_range(from..to))
}
