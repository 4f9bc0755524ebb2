//! Commands about schedules.

use serde::{Deserialize, Serialize};

use crate::time::CivilTime;
use crate::zones::WallTime;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a schedule or replaces the one with this key, fixed shifts included. Overrides, swaps and a redirect stay.
    Put(Schedule),
    /// Removes a schedule with everything about it.
    Remove {
        schedule: String,
    },
    /// Adds fixed shifts; those with the `uid` of a shift that is there replace it. All or nothing.
    PutFixed {
        schedule: String,
        shifts: Vec<FixedShift>,
    },
    /// Puts somebody else on call for a while.
    AddOverride {
        schedule: String,
        order: Override,
    },
    RemoveOverride {
        schedule: String,
        number: u64,
    },
    /// Sends whoever asks for a schedule to somebody else for a while; `None` takes that back.
    Redirect {
        schedule: String,
        redirect: Option<Redirect>,
    },
    /// One person asks another to exchange two shifts.
    ProposeSwap {
        schedule: String,
        swap: Swap,
    },
    /// Says yes or no to a swap. Yes makes a pair of overrides, if both shifts are still as they were.
    SettleSwap {
        schedule: String,
        number: u64,
        verdict: Verdict,
    },
    /// Adds a calendar feed. Only the hash of its secret is ever proposed (SECURITY D-3).
    CreateFeed(CreateFeed),
    /// Ends a feed at once.
    RevokeFeed {
        id: String,
    },
}

/// Who is on call when, as the organisation plans it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Short stable name: 1 to 64 characters.
    pub key: String,
    pub name: String,
    /// The zone of every wall time in it: `Europe/Helsinki`.
    pub zone: String,
    /// The upper one first: it wins where it covers, the rest falls through.
    pub layers: Vec<Layer>,
    /// Win over all layers where they cover.
    pub fixed: Vec<FixedShift>,
}

/// People taking turns.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    pub name: String,
    pub rotation: Rotation,
    /// When the first shift begins; its time of day is that of every handover.
    pub start: WallTime,
    /// When the last shift ends, if ever.
    pub until: Option<WallTime>,
    /// Who takes turns, in order; several persons in one turn are on call together. Keys of people.
    pub turns: Vec<Vec<String>>,
    /// When in the week the layer counts; empty: always.
    pub windows: Vec<Window>,
}

/// How long a shift is on the wall.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Rotation {
    /// Every so many hours.
    Hourly(u16),
    /// Every so many days.
    Daily(u16),
    /// Every so many weeks.
    Weekly(u16),
    /// Shifts of these lengths in minutes, then from the front again.
    Custom(Vec<u32>),
}

/// A time of day on some days of the week.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Days on which it begins: Monday is 0, Sunday 6.
    pub days: Vec<u8>,
    /// Minute of the day at which it begins.
    pub from: u16,
    /// Minute of the day at which it ends; not later than `from`: on the next day.
    pub to: u16,
}

/// One shift written down by itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FixedShift {
    pub from: WallTime,
    pub to: WallTime,
    /// Key of the person.
    pub person: String,
    /// The shift's name in the calendar it came from; empty when written by hand.
    pub uid: String,
}

/// Somebody else for a while.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Override {
    pub from: WallTime,
    pub to: WallTime,
    /// Who is on call instead. Keys of people.
    pub instead: Vec<String>,
    /// For whom; `None`: for everyone, also where nobody would be on call.
    pub of: Option<String>,
    pub reason: String,
}

/// A schedule's calls go elsewhere for a while.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Redirect {
    pub from: WallTime,
    /// `None`: until taken back.
    pub to: Option<WallTime>,
    pub target: Target,
    pub reason: String,
}

/// Where a redirected schedule's calls go.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Target {
    Schedule(String),
    Person(String),
    /// Everyone in it, at most [`super::REDIRECT_PEOPLE_MAX`] in calling order.
    Group(String),
}

/// One shift of one person as the plan showed it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ShiftRef {
    pub person: String,
    pub from: CivilTime,
    pub to: CivilTime,
}

/// `give` is the shift of who asks, `take` that of who is asked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Swap {
    pub give: ShiftRef,
    pub take: ShiftRef,
    pub reason: String,
}

/// What becomes of a swap.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// The person who is asked agrees.
    Consent { person: String },
    /// Somebody in charge decides for both.
    Impose { reason: String },
    /// The person who is asked, or who asked, says no.
    Decline { person: String, reason: String },
}

/// A calendar feed: what it shows, and the hash of what its address holds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CreateFeed {
    /// Public part, shown in lists.
    pub id: String,
    pub subject: Subject,
    /// SHA-256 of the secret part.
    pub secret_hash: [u8; 32],
}

/// What a calendar shows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Subject {
    /// Everyone's shifts in one schedule.
    Schedule(String),
    /// One person's shifts in all schedules.
    Person(String),
}
