//! Decisions about deliveries without SQL.

use std::time::Duration;

use super::SendOutcome;
use crate::recipients::ContactMethod;

/// The kind of a delivery that lets a phone ring and says nothing. Modems carry it, beside `sms`.
pub const RING: &str = "ring";

/// The kind of channel that carries deliveries of this kind.
pub fn carrier(kind: &str) -> &str {
    match kind {
        RING => "sms",
        other => other,
    }
}

/// What a ring takes of a modem, in SMS parts: all it may hold at once, for nothing else leaves meanwhile (PRODUCT L-29).
pub(super) const RING_PARTS: u32 = 4;

/// How long one ring keeps a modem, dialling and hanging up included, for estimates.
pub(crate) const RING_MS: u64 = 30_000;

/// How often a phone is rung: the second call from one number passes where the first makes no sound.
pub(crate) const RINGS: u64 = 2;

/// How long after its text a phone is first rung: whoever is awake has answered by then.
pub(super) const RING_AFTER: Duration = Duration::from_secs(30);

/// Between two rings.
const RING_PAUSE: Duration = Duration::from_secs(15);

/// Two rings count as repeated when the second ends so soon after the first was given away. Phones allow three minutes
/// between their beginnings, the shorter of the two systems' rules.
pub(super) const REPEATED_WITHIN: Duration = Duration::from_secs(180);

/// How long the second ring waits for the modem of the first; later it could not end in time, and both start anew.
pub(super) const PINNED_FOR: Duration = Duration::from_secs(45);

/// Most tries at one phone: one that is off or out of reach would keep a modem from texts for ever.
const RING_TRIES_MAX: u32 = 6;

/// Most people called together whose phones are rung: rings of a crowd would keep texts out for hours.
pub(crate) const RUNG_MAX: usize = 100;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Waits for an earlier contact method of the same person to fail.
    Standby,
    /// Waits for a channel.
    Pending,
    /// Given to a channel of a node.
    Assigned,
    /// Accepted by the network; its last word is awaited.
    Sent,
    /// The network says it reached the handset.
    Delivered,
    /// Accepted by the last hop that tells us anything.
    HandedOver,
    /// The person answered.
    Acknowledged,
    /// No contact with this address is possible.
    Failed,
    /// Its time was over before a channel took it.
    Expired,
    /// Not wanted any more before it left.
    Cancelled,
}

impl State {
    pub const ALL: [Self; 10] = [
        Self::Standby,
        Self::Pending,
        Self::Assigned,
        Self::Sent,
        Self::Delivered,
        Self::HandedOver,
        Self::Acknowledged,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::HandedOver => "handed_over",
            Self::Acknowledged => "acknowledged",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a row. An unknown word comes from a newer version and counts as ended.
    pub fn parse(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(Self::Cancelled)
    }

    /// How far towards the person it got, for joining two histories: the greater one stands.
    pub fn reach(self) -> u8 {
        match self {
            Self::Expired => 0,
            Self::Cancelled => 1,
            Self::Standby => 2,
            Self::Pending => 3,
            Self::Assigned => 4,
            Self::Failed => 5,
            Self::Sent => 6,
            Self::HandedOver => 7,
            Self::Delivered => 8,
            Self::Acknowledged => 9,
        }
    }

    /// The state with this reach; `None` for one of a newer version.
    pub fn of_reach(reach: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.reach() == reach)
    }

    /// Nothing more will be tried.
    pub fn ended(self) -> bool {
        !matches!(
            self,
            Self::Standby | Self::Pending | Self::Assigned | Self::Sent
        )
    }
}

/// What a delivery is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Calls a person to an alert and wants an answer.
    Page,
    /// Tells a person who was called that it is over.
    CallOff,
    /// Answers a text.
    Reply,
    /// Stands for pages that waited too long to be told one by one.
    Summary,
    /// Tells more about something under way, in words of its own; nothing waits for an answer to it.
    Update,
    /// Wakes a person called to a critical alert: lets a phone ring, or asks somebody to wake them.
    Wake,
    /// Shows that one of our modems reaches another one.
    Trip,
    /// Asks somebody called once more, in words of its own.
    Reminder,
    /// Carries a code that ends a sign-in. The code is filled in when it leaves.
    SignIn,
    /// Carries an invitation. Its code is filled in when it leaves.
    Invitation,
    /// Tells somebody who follows a room from outside what was said there.
    Digest,
}

impl Purpose {
    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::CallOff => "call_off",
            Self::Reply => "reply",
            Self::Summary => "summary",
            Self::Update => "update",
            Self::Wake => "wake",
            Self::Trip => "trip",
            Self::Reminder => "reminder",
            Self::SignIn => "sign_in",
            Self::Invitation => "invitation",
            Self::Digest => "digest",
        }
    }

    /// The purpose of a row.
    pub fn parse(name: &str) -> Self {
        match name {
            "call_off" => Self::CallOff,
            "reply" => Self::Reply,
            "summary" => Self::Summary,
            "update" => Self::Update,
            "wake" => Self::Wake,
            "trip" => Self::Trip,
            "reminder" => Self::Reminder,
            "sign_in" => Self::SignIn,
            "invitation" => Self::Invitation,
            "digest" => Self::Digest,
            _ => Self::Page,
        }
    }
}

/// Over which of a person's contact methods they are called, in order, and whether each leaves at once: at critical all
/// do, otherwise the first, with the others standing by (DESIGN C4).
///
/// `wished` are the kinds the alert asks for. It is a wish: somebody who has none of them is called by what they have.
pub(crate) fn ways<'a>(
    methods: &'a [ContactMethod],
    wished: &[String],
    critical: bool,
) -> Vec<(&'a ContactMethod, bool)> {
    let fits = |method: &ContactMethod| wished.iter().any(|kind| kind == method.kind());
    let any = !methods.iter().any(fits);
    methods
        .iter()
        .filter(|method| any || fits(method))
        .enumerate()
        .map(|(order, method)| (method, critical || order == 0))
        .collect()
}

/// Why a page ended that was told in a summary: whoever has it may have been told, so a call-off reaches them.
pub(super) const SUMMARISED: &str = "told in a summary";

/// Order of leaving a channel (DESIGN C5); smaller first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    CallOff,
    Reply,
    Human,
    FirstOfSource,
    Rest,
    /// What people say to each other: never before anything of an alert.
    Talk,
}

impl Lane {
    /// The number in rows.
    pub fn rank(self) -> i64 {
        match self {
            Self::CallOff => 0,
            Self::Reply => 1,
            Self::Human => 2,
            Self::FirstOfSource => 3,
            Self::Rest => 4,
            Self::Talk => 5,
        }
    }

    /// The lane of a row.
    pub fn of_rank(rank: i64) -> Self {
        match rank {
            0 => Self::CallOff,
            1 => Self::Reply,
            2 => Self::Human,
            3 => Self::FirstOfSource,
            5 => Self::Talk,
            _ => Self::Rest,
        }
    }

    /// May use the third of a channel's rate that is kept free.
    pub fn urgent(self) -> bool {
        self <= Self::Human
    }
}

/// What a send's end does to its delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Transition {
    pub(super) to: State,
    /// Pause before the next try.
    pub(super) retry_in: Duration,
    /// The next try must say that it may be a repeat.
    pub(super) possible_repeat: bool,
    /// Another channel is better for the next try.
    pub(super) elsewhere: bool,
}

impl Transition {
    /// A move after which nothing is tried again.
    pub(super) fn to(to: State) -> Self {
        Self {
            to,
            retry_in: Duration::ZERO,
            possible_repeat: false,
            elsewhere: true,
        }
    }
}

/// Decides what follows from the end of try number `attempt`.
pub(super) fn after_send(outcome: &SendOutcome, kind: &str, attempt: u32) -> Transition {
    match outcome {
        // Nobody tells us more about a mail than that a smarthost took it.
        SendOutcome::Accepted { .. } if kind == "email" => Transition::to(State::HandedOver),
        SendOutcome::Accepted { .. } => Transition::to(State::Sent),
        SendOutcome::Refused {
            permanent: true, ..
        } => Transition::to(State::Failed),
        SendOutcome::Refused {
            permanent: false, ..
        } => Transition {
            to: State::Pending,
            retry_in: retry_delay(attempt),
            possible_repeat: false,
            elsewhere: true,
        },
        SendOutcome::Unknown { .. } => Transition {
            to: State::Pending,
            retry_in: Duration::ZERO,
            possible_repeat: true,
            elsewhere: true,
        },
    }
}

/// Decides what follows from the end of ring number `attempt`. `second`: the phone was rung from the same number so
/// shortly before that this one counted as a repeated call. None of it says that a person heard it.
pub(super) fn after_ring(outcome: &SendOutcome, attempt: u32, second: bool) -> Transition {
    let again = |retry_in, elsewhere| Transition {
        to: State::Pending,
        retry_in,
        possible_repeat: false,
        elsewhere,
    };
    match outcome {
        SendOutcome::Accepted { .. } if second => Transition::to(State::HandedOver),
        SendOutcome::Accepted { .. }
        | SendOutcome::Refused { .. }
        | SendOutcome::Unknown { .. }
            if attempt >= RING_TRIES_MAX =>
        {
            Transition::to(State::Failed)
        }
        SendOutcome::Accepted { .. } => again(RING_PAUSE, false),
        SendOutcome::Refused {
            permanent: true, ..
        } => Transition::to(State::Failed),
        SendOutcome::Refused {
            permanent: false, ..
        } => again(retry_delay(attempt), true),
        SendOutcome::Unknown { .. } => again(Duration::ZERO, true),
    }
}

/// Pause after the `attempt`-th refusal. The first retries are quick, because they go to another channel.
fn retry_delay(attempt: u32) -> Duration {
    Duration::from_secs(match attempt {
        0 | 1 => 1,
        2 => 3,
        3 => 10,
        4 => 30,
        _ => 60,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_end_is_sent_again_at_once_and_says_so() {
        let end = SendOutcome::Unknown {
            detail: String::new(),
        };
        let next = after_send(&end, "sms", 1);
        assert_eq!(
            next,
            Transition {
                to: State::Pending,
                retry_in: Duration::ZERO,
                possible_repeat: true,
                elsewhere: true,
            }
        );
    }

    #[test]
    fn people_are_called_as_wished_as_far_as_they_can_be() {
        let sms = ContactMethod::Sms("+358401234567".to_owned());
        let mail = ContactMethod::Email("a@example.org".to_owned());
        let check = |methods: &[ContactMethod], wished: &[&str], critical, expected: &str| {
            let wished: Vec<String> = wished.iter().map(|kind| (*kind).to_owned()).collect();
            let found: Vec<String> = ways(methods, &wished, critical)
                .into_iter()
                .map(|(method, at_once)| format!("{} {at_once}", method.kind()))
                .collect();
            assert_eq!(found.join(", "), expected);
        };
        let both = [sms.clone(), mail.clone()];
        check(&both, &[], false, "sms true, email false");
        check(&both, &[], true, "sms true, email true");
        check(&both, &["email"], false, "email true");
        check(&both, &["email", "sms"], true, "sms true, email true");
        check(&[sms], &["email"], false, "sms true");
        check(&[], &["sms"], true, "");
    }

    #[test]
    fn state_words_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.name()), state);
        }
    }
}
