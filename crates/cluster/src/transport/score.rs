//! How good a path is, and which one to use. No IO and no clock: time is an argument.

use std::time::{Duration, Instant};

/// A path must have been the better one for this long before traffic moves back to it.
const SWITCH_BACK: Duration = Duration::from_secs(30);
/// Unanswered RPCs in a row, with nothing acknowledged meanwhile, after which a path counts as silent.
const MISSES_MAX: u32 = 2;
/// A path that is in doubt for so long and four round trips, with nothing acknowledged meanwhile, counts as silent. What is
/// asked over two ways at once ends with the first answer, so that the slower one's misses cannot be counted.
const DOUBT_MAX: Duration = Duration::from_millis(300);
/// Weight of the newest sample in the running means.
const SAMPLE_WEIGHT: f64 = 0.25;
/// A path that loses a tenth of its packets is as bad as one with twice the round trip.
const LOSS_WEIGHT: f64 = 10.0;
/// Costs this close count as equal; the order of addresses decides then.
const COST_MARGIN: f64 = 1.25;
const COST_MARGIN_MS: f64 = 5.0;

/// What a connection has counted since it began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    /// Anything that shows that the other end is there: datagrams, or bytes.
    pub(crate) received: u64,
    /// What shows that the other end hears us: acknowledgements. A line cut in our direction only still brings datagrams.
    pub(crate) acknowledged: u64,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
}

/// Running judgement of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    rtt_ms: f64,
    loss: f64,
    heard: Instant,
    misses: u32,
    /// When the first of these misses was noticed.
    doubted: Option<Instant>,
    totals: Totals,
}

impl Score {
    /// A connection that has just come up.
    pub(crate) fn new(now: Instant, rtt: Duration, totals: Totals) -> Self {
        Self {
            rtt_ms: rtt.as_secs_f64() * 1_000.0,
            loss: 0.0,
            heard: now,
            misses: 0,
            doubted: None,
            totals,
        }
    }

    /// Takes over what the connection counted by `now`.
    pub(crate) fn handle_sample(&mut self, now: Instant, rtt: Duration, totals: Totals) {
        let mix = |mean: f64, sample: f64| mean + SAMPLE_WEIGHT * (sample - mean);
        self.rtt_ms = mix(self.rtt_ms, rtt.as_secs_f64() * 1_000.0);
        let sent = totals.sent.saturating_sub(self.totals.sent);
        let lost = totals.lost.saturating_sub(self.totals.lost);
        if sent > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a ratio of small counts")]
            let ratio = (lost as f64 / sent as f64).min(1.0);
            self.loss = mix(self.loss, ratio);
        }
        if totals.received > self.totals.received {
            self.heard = now;
        }
        if totals.acknowledged > self.totals.acknowledged {
            self.trust();
        }
        self.totals = totals;
    }

    /// An RPC was answered.
    pub(crate) fn handle_answer(&mut self, now: Instant) {
        self.heard = now;
        self.trust();
    }

    fn trust(&mut self) {
        self.misses = 0;
        self.doubted = None;
    }

    /// An RPC was not answered in time, and nothing was acknowledged while it waited.
    pub(crate) fn handle_miss(&mut self, now: Instant) {
        self.misses = self.misses.saturating_add(1);
        self.doubted.get_or_insert(now);
    }

    /// The last RPC went unanswered: what can be sent twice should be.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.misses > 0
    }

    /// Nothing has come back for longer than `patience`, or for several RPCs.
    pub(crate) fn is_silent(&self, now: Instant, patience: Duration) -> bool {
        let doubt = DOUBT_MAX + self.rtt() * 4;
        self.misses >= MISSES_MAX
            || self.silence(now) > patience
            || self
                .doubted
                .is_some_and(|at| now.saturating_duration_since(at) > doubt)
    }

    /// Time since anything arrived.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// Smoothed round trip.
    pub(crate) fn rtt(&self) -> Duration {
        Duration::from_secs_f64((self.rtt_ms / 1_000.0).max(0.0))
    }

    /// Share of packets lost, lately: 0 to 1.
    pub(crate) fn loss(&self) -> f64 {
        self.loss
    }

    fn cost(&self) -> f64 {
        self.rtt_ms * (1.0 + LOSS_WEIGHT * self.loss)
    }
}

/// A live path as the chooser sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: u64,
    /// Place in the peer's list of addresses.
    pub(crate) rank: usize,
    cost: f64,
    pub(crate) silent: bool,
    /// The peer dialled it: used when none of ours is alive.
    pub(crate) reverse: bool,
}

impl Candidate {
    pub(crate) fn new(id: u64, rank: usize, score: &Score, silent: bool, reverse: bool) -> Self {
        Self {
            id,
            rank,
            cost: score.cost(),
            silent,
            reverse,
        }
    }
}

/// Decides which path carries what goes over one only.
#[derive(Debug, Default)]
pub(crate) struct Chooser {
    current: Option<u64>,
    /// A path that would be preferred, and since when.
    better: Option<(u64, Instant)>,
}

impl Chooser {
    /// The path to use now. A silent path is left at once; a better one is moved to only after it has been better for a
    /// while, so that a flapping line does not drag the append stream back and forth.
    pub(crate) fn choose(&mut self, now: Instant, candidates: &[Candidate]) -> Option<u64> {
        let usable = usable(candidates);
        let Some(preferred) = preferred(&usable) else {
            self.better = None;
            self.current = None;
            return None;
        };
        let holds = self
            .current
            .filter(|id| usable.iter().any(|path| path.id == *id));
        match holds {
            Some(current) if current != preferred => {
                let since = match self.better {
                    Some((id, since)) if id == preferred => since,
                    Some(_) | None => now,
                };
                self.better = Some((preferred, since));
                if now.saturating_duration_since(since) >= SWITCH_BACK {
                    self.better = None;
                    self.current = Some(preferred);
                }
            }
            Some(_) => self.better = None,
            None => {
                self.better = None;
                self.current = Some(preferred);
            }
        }
        self.current
    }
}

/// Our own paths that answer; else those the peer dialled; else, better than nothing, the silent ones.
fn usable(candidates: &[Candidate]) -> Vec<Candidate> {
    let of = |wanted: &dyn Fn(&Candidate) -> bool| -> Vec<Candidate> {
        candidates.iter().copied().filter(|c| wanted(c)).collect()
    };
    let classes: [&dyn Fn(&Candidate) -> bool; 3] = [
        &|c| !c.silent && !c.reverse,
        &|c| !c.silent && c.reverse,
        &|_| true,
    ];
    classes
        .into_iter()
        .map(of)
        .find(|class| !class.is_empty())
        .unwrap_or_default()
}

/// The first in order among those that cost about as little as the cheapest.
fn preferred(usable: &[Candidate]) -> Option<u64> {
    let cheapest = usable.iter().map(|c| c.cost).fold(f64::INFINITY, f64::min);
    usable
        .iter()
        .filter(|c| c.cost <= cheapest * COST_MARGIN + COST_MARGIN_MS)
        .min_by_key(|c| (c.rank, c.id))
        .map(|c| c.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(id: u64, rtt_ms: u64) -> Candidate {
        let score = Score::new(
            Instant::now(),
            Duration::from_millis(rtt_ms),
            Totals::default(),
        );
        Candidate::new(id, usize::try_from(id).unwrap(), &score, false, false)
    }

    #[test]
    fn the_first_address_wins_among_equals_and_a_much_faster_one_beats_it() {
        let now = Instant::now();
        assert_eq!(
            Chooser::default().choose(now, &[path(0, 12), path(1, 10)]),
            Some(0)
        );
        assert_eq!(
            Chooser::default().choose(now, &[path(0, 600), path(1, 10)]),
            Some(1)
        );
        assert_eq!(Chooser::default().choose(now, &[]), None);
    }

    #[test]
    fn a_silent_path_is_left_at_once_and_returned_to_after_half_a_minute() {
        let (mut chooser, start) = (Chooser::default(), Instant::now());
        let good = [path(0, 10), path(1, 10)];
        let cut = [
            Candidate {
                silent: true,
                ..good[0]
            },
            good[1],
        ];
        assert_eq!(chooser.choose(start, &good), Some(0));
        assert_eq!(chooser.choose(start, &cut), Some(1));
        let back = |s| start + Duration::from_secs(s);
        assert_eq!(chooser.choose(back(1), &good), Some(1));
        assert_eq!(chooser.choose(back(30), &good), Some(1));
        // A hiccup starts the wait anew.
        assert_eq!(chooser.choose(back(30), &cut), Some(1));
        assert_eq!(chooser.choose(back(32), &good), Some(1));
        assert_eq!(chooser.choose(back(61), &good), Some(1));
        assert_eq!(chooser.choose(back(62), &good), Some(0));
    }

    #[test]
    fn what_the_peer_dialled_is_used_only_when_nothing_of_ours_answers() {
        let now = Instant::now();
        let theirs = Candidate {
            reverse: true,
            ..path(7, 1)
        };
        let silent = Candidate {
            silent: true,
            ..path(0, 1)
        };
        assert_eq!(
            Chooser::default().choose(now, &[path(0, 400), theirs]),
            Some(0)
        );
        assert_eq!(Chooser::default().choose(now, &[silent, theirs]), Some(7));
        assert_eq!(Chooser::default().choose(now, &[silent]), Some(0));
    }

    #[test]
    fn loss_costs_as_much_as_distance() {
        let now = Instant::now();
        let lossy = |lost| {
            let mut score = Score::new(now, Duration::from_millis(40), Totals::default());
            for round in 1..20 {
                let totals = Totals {
                    received: round,
                    acknowledged: round,
                    sent: round * 100,
                    lost: round * lost,
                };
                score.handle_sample(now, Duration::from_millis(40), totals);
            }
            Candidate::new(lost, 0, &score, false, false)
        };
        let clean = Candidate {
            id: 99,
            ..path(1, 60)
        };
        assert_eq!(Chooser::default().choose(now, &[lossy(1), clean]), Some(1));
        assert_eq!(
            Chooser::default().choose(now, &[lossy(30), clean]),
            Some(99)
        );
    }

    #[test]
    fn two_unanswered_requests_or_a_long_silence_make_a_path_silent() {
        let now = Instant::now();
        let patience = Duration::from_secs(2);
        let mut score = Score::new(now, Duration::from_millis(1), Totals::default());
        score.handle_miss(now);
        assert!(score.is_doubtful() && !score.is_silent(now, patience));
        assert!(score.is_silent(now + Duration::from_secs(1), patience));
        score.handle_miss(now);
        assert!(score.is_silent(now, patience));
        score.handle_answer(now);
        assert!(!score.is_silent(now, patience));
        assert!(score.is_silent(now + Duration::from_secs(3), patience));
        let totals = Totals {
            received: 1,
            ..Totals::default()
        };
        score.handle_sample(now + Duration::from_secs(3), Duration::ZERO, totals);
        assert!(!score.is_silent(now + Duration::from_secs(3), patience));
    }

    #[test]
    fn a_path_on_which_we_hear_but_are_not_heard_is_silent() {
        let now = Instant::now();
        let patience = Duration::from_secs(2);
        let mut score = Score::new(now, Duration::from_millis(1), Totals::default());
        score.handle_miss(now);
        score.handle_miss(now);
        let mut totals = Totals {
            received: 5,
            ..Totals::default()
        };
        score.handle_sample(now, Duration::ZERO, totals);
        assert!(score.is_silent(now, patience));
        totals.acknowledged = 1;
        score.handle_sample(now, Duration::ZERO, totals);
        assert!(!score.is_silent(now, patience));
    }
}
