//! What goes wrong in a run, all of it drawn from the seed before it begins, so that leaving one fault out changes no
//! other.

use std::fmt;
use std::time::Duration;

use domain::NodeId;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::world::Point;

/// One kind of trouble.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// These nodes and the rest do not hear each other.
    Split(Vec<NodeId>),
    /// No node hears another.
    Scatter,
    /// What the first says does not reach the second; the other way it does.
    OneWay(NodeId, NodeId),
    /// The process dies; it comes back at the end.
    Crash(NodeId),
    /// The machine loses power, and with it so many of the last entries applied.
    PowerCut(NodeId, u64),
    /// The process is stopped and goes on at the end as if nothing had been.
    Pause(NodeId),
    /// The loop that reaches this point is held there; the rest of the node works.
    Hold(NodeId, Point),
    /// The process is stopped when a loop reaches this point.
    PauseAt(NodeId, Point),
    /// The process dies when a loop reaches this point.
    CrashAt(NodeId, Point),
    /// The node stores entries and does not get to applying them.
    Lag(NodeId),
    /// The wall clock is set wrong by so many milliseconds.
    WallJump(NodeId, i64),
    /// The modem loses its network.
    ModemDown(NodeId),
    /// The modem takes a text and says nothing more for a while.
    ModemHang(NodeId),
    MailDown(NodeId),
    /// Messages between nodes are lost, so many of a thousand.
    Loss(u32),
    /// Texts are refused, lost, late and doubled.
    BadAir,
    /// Leadership is handed to this node.
    Transfer(NodeId),
}

/// A fault with its time.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub at: Duration,
    pub until: Duration,
    pub fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, until) = (self.at.as_secs_f64(), self.until.as_secs_f64());
        write!(f, "{at:.1} to {until:.1} {:?}", self.fault)
    }
}

/// Draws what goes wrong between `from` and `to`.
pub(crate) fn plan(chance: &mut StdRng, nodes: u64, from: Duration, to: Duration) -> Vec<Planned> {
    // One run in ten is calm: what fails there fails by itself.
    let count = if chance.random_range(0..10) == 0 {
        0
    } else {
        chance.random_range(1..=9)
    };
    let mut planned = Vec::new();
    for _ in 0..count {
        let at = from + (to - from).mul_f64(chance.random_range(0.0..0.95));
        // Many short troubles, some around the length of a lease, few long ones.
        let lasts = match chance.random_range(0..10) {
            0..=2 => chance.random_range(500..4_000),
            3..=6 => chance.random_range(4_000..25_000),
            _ => chance.random_range(25_000..150_000),
        };
        let fault = draw(chance, nodes);
        let until = (at + Duration::from_millis(lasts)).min(to);
        planned.push(Planned { at, until, fault });
    }
    planned.sort_by_key(|planned| planned.at);
    planned
}

fn draw(chance: &mut StdRng, nodes: u64) -> Fault {
    let node = NodeId(chance.random_range(1..=nodes));
    let other = NodeId((node.0 + chance.random_range(0..nodes - 1)) % nodes + 1);
    let point = Point::ALL[chance.random_range(0..Point::ALL.len())];
    let minutes = chance.random_range(-90..90);
    let entries = chance.random_range(1..60);
    let permille = chance.random_range(20..300);
    match chance.random_range(0..26) {
        0..=2 => Fault::Split(vec![node]),
        3 if nodes > 3 => Fault::Split(vec![node, other]),
        3 | 4 => Fault::OneWay(node, other),
        5 | 6 => Fault::Crash(node),
        7 => Fault::PowerCut(node, entries),
        8 | 9 => Fault::Pause(node),
        10 => Fault::Hold(node, point),
        11 | 12 => Fault::PauseAt(node, point),
        13 => Fault::CrashAt(node, point),
        14 => Fault::Lag(node),
        15 => Fault::WallJump(node, minutes * 60_000),
        16 | 17 => Fault::ModemDown(node),
        18 => Fault::ModemHang(node),
        19 => Fault::MailDown(node),
        20 => Fault::Loss(permille),
        21 | 22 => Fault::BadAir,
        // Everybody alone: the majority is gone.
        23 | 24 => Fault::Scatter,
        _ => Fault::Transfer(node),
    }
}
