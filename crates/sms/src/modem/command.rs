//! The commands the engine gives, their words and their limits.

use std::time::Duration;

use super::calling::HangUp;
use super::event::{Memory, RingId, SubmitId};
use super::inbox::Slot;

/// One AT command at a time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Command {
    /// Part of the set-up, or of its repetition.
    Setup(Step),
    /// Selects the memory read from and deleted from; the answer tells how full it is.
    Select(Memory),
    /// Lists the selected memory.
    List(Memory),
    /// Reads a slot of the selected memory.
    Read(Slot),
    /// Reads a slot that may well be empty, where listing does not work.
    Walk(Slot),
    /// Empties a slot of the selected memory.
    Delete(Slot),
    /// Asks for the part's prompt.
    Send(SubmitId),
    /// Calls the number of this ring.
    Dial(RingId),
    /// Lists the calls there are.
    LookAtCalls,
    /// Ends all calls.
    HangUp(HangUp),
    /// `AT`: is anybody there?
    Ping,
}

/// The set-up, in order; see `SETUP`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    EchoOff,
    ErrorNumbers,
    Manufacturer,
    Model,
    Revision,
    Imei,
    FunctionQuery,
    FunctionOn,
    /// The n-th way to ask for the SIM card's number.
    Iccid(usize),
    PinQuery,
    /// The n-th way to ask for the tries left.
    PinTries(usize),
    PinEnter,
    Imsi,
    PduMode,
    Phase2,
    Charset,
    SmscQuery,
    SmscSet,
    MemoriesQuery,
    MemoriesSet,
    RoutingQuery,
    RoutingSet,
    CircuitUrc,
    PacketUrc,
    CallerId,
    KeepLink,
    CircuitQuery,
    PacketQuery,
    Signal,
    SignalExtended,
    Operator,
}

/// Everything a modem is told and asked before it is used (3GPP TS 27.005 §3, TS 27.007 §5, §7, §8).
pub(super) const SETUP: &[Step] = &[
    Step::EchoOff,
    Step::ErrorNumbers,
    Step::Manufacturer,
    Step::Model,
    Step::Revision,
    Step::Imei,
    Step::FunctionQuery,
    Step::Iccid(0),
    Step::PinQuery,
    Step::Imsi,
    Step::PduMode,
    Step::Phase2,
    Step::Charset,
    Step::SmscQuery,
    Step::MemoriesQuery,
    Step::MemoriesSet,
    Step::RoutingQuery,
    Step::RoutingSet,
    Step::CircuitUrc,
    Step::PacketUrc,
    Step::CallerId,
    Step::KeepLink,
    Step::CircuitQuery,
    Step::PacketQuery,
    Step::Signal,
    Step::Operator,
];

/// What modems forget over a reset, a re-registration, or just with time.
pub(super) const REASSERT: &[Step] = &[
    Step::EchoOff,
    Step::ErrorNumbers,
    Step::PduMode,
    Step::MemoriesSet,
    Step::RoutingSet,
    Step::CircuitUrc,
    Step::PacketUrc,
    Step::KeepLink,
];

/// What is looked at every minute.
pub(super) const STATUS: &[Step] = &[
    Step::CircuitQuery,
    Step::PacketQuery,
    Step::Signal,
    Step::Operator,
];

pub(super) const ICCID_COMMANDS: &[&str] = &["AT+CCID", "AT+ICCID", "AT^ICCID?", "AT+QCCID"];
pub(super) const PIN_TRIES_COMMANDS: &[&str] = &["AT+CPINR", "AT+QPINC=\"SC\"", "AT^CPIN?"];

/// What the answer's lines begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expected {
    /// No lines.
    Nothing,
    /// Lines with one of these names before a colon.
    Named(&'static [&'static str]),
    /// A line of its own making, such as the maker's name.
    Anything,
}

impl Command {
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(match self {
            Self::List(_) => 15,
            Self::Send(_) => 10,
            Self::Setup(Step::FunctionOn | Step::PinEnter) => 30,
            Self::Setup(Step::Operator) => 15,
            Self::Ping | Self::LookAtCalls => 5,
            Self::Setup(_)
            | Self::Select(_)
            | Self::Read(_)
            | Self::Walk(_)
            | Self::Delete(_)
            | Self::Dial(_)
            | Self::HangUp(_) => 10,
        })
    }

    /// Whether the modem is of no use while this goes unanswered.
    pub(super) fn is_needed(&self) -> bool {
        match self {
            Self::Setup(step) => step.is_needed(),
            Self::Select(_)
            | Self::List(_)
            | Self::Read(_)
            | Self::Walk(_)
            | Self::Delete(_)
            | Self::Send(_)
            | Self::HangUp(_) => true,
            Self::Dial(_) | Self::LookAtCalls | Self::Ping => false,
        }
    }

    /// Whether the answer can be an error of the message service.
    pub(super) fn is_of_messages(&self) -> bool {
        match self {
            Self::Setup(step) => !STATUS.contains(step),
            Self::Select(_)
            | Self::List(_)
            | Self::Read(_)
            | Self::Walk(_)
            | Self::Delete(_)
            | Self::Send(_) => true,
            Self::Dial(_) | Self::LookAtCalls | Self::HangUp(_) | Self::Ping => false,
        }
    }

    pub(super) fn expected(&self) -> Expected {
        match self {
            Self::Setup(step) => step.expected(),
            Self::Select(_) => Expected::Named(&["+CPMS"]),
            Self::List(_) => Expected::Named(&["+CMGL"]),
            Self::Read(_) | Self::Walk(_) => Expected::Named(&["+CMGR"]),
            Self::Send(_) => Expected::Named(&["+CMGS"]),
            Self::LookAtCalls => Expected::Named(&["+CLCC"]),
            Self::Delete(_) | Self::Dial(_) | Self::HangUp(_) | Self::Ping => Expected::Nothing,
        }
    }
}

impl Step {
    /// The command line where it never varies.
    pub(super) fn fixed_text(self) -> Option<&'static str> {
        Some(match self {
            Self::EchoOff => "ATE0V1",
            Self::ErrorNumbers => "AT+CMEE=1",
            Self::Manufacturer => "AT+CGMI",
            Self::Model => "AT+CGMM",
            Self::Revision => "AT+CGMR",
            Self::Imei => "AT+CGSN",
            Self::FunctionQuery => "AT+CFUN?",
            Self::FunctionOn => "AT+CFUN=1",
            Self::Iccid(way) => ICCID_COMMANDS.get(way)?,
            Self::PinQuery => "AT+CPIN?",
            Self::PinTries(way) => PIN_TRIES_COMMANDS.get(way)?,
            Self::Imsi => "AT+CIMI",
            Self::PduMode => "AT+CMGF=0",
            Self::Phase2 => "AT+CSMS=0",
            Self::Charset => "AT+CSCS=\"GSM\"",
            Self::SmscQuery => "AT+CSCA?",
            Self::MemoriesQuery => "AT+CPMS=?",
            Self::RoutingQuery => "AT+CNMI=?",
            Self::CircuitUrc => "AT+CREG=2",
            Self::PacketUrc => "AT+CEREG=2",
            Self::CallerId => "AT+CLIP=1",
            Self::KeepLink => "AT+CMMS=2",
            Self::CircuitQuery => "AT+CREG?",
            Self::PacketQuery => "AT+CEREG?",
            Self::Signal => "AT+CSQ",
            Self::SignalExtended => "AT+CESQ",
            Self::Operator => "AT+COPS?",
            Self::PinEnter | Self::SmscSet | Self::MemoriesSet | Self::RoutingSet => return None,
        })
    }

    /// Whether SMS is impossible without it. All others may be refused.
    pub(super) fn is_needed(self) -> bool {
        matches!(self, Self::PduMode | Self::MemoriesSet | Self::PinQuery)
    }

    fn expected(self) -> Expected {
        match self {
            Self::Manufacturer | Self::Model | Self::Revision | Self::Imei | Self::Imsi => {
                Expected::Anything
            }
            Self::Iccid(_) => Expected::Anything,
            Self::FunctionQuery => Expected::Named(&["+CFUN"]),
            Self::PinQuery => Expected::Named(&["+CPIN"]),
            Self::PinTries(_) => Expected::Named(&["+CPINR", "+QPINC", "^CPIN"]),
            Self::SmscQuery => Expected::Named(&["+CSCA"]),
            Self::MemoriesQuery | Self::MemoriesSet => Expected::Named(&["+CPMS"]),
            Self::RoutingQuery => Expected::Named(&["+CNMI"]),
            Self::CircuitQuery => Expected::Named(&["+CREG"]),
            Self::PacketQuery => Expected::Named(&["+CEREG"]),
            Self::Signal => Expected::Named(&["+CSQ"]),
            Self::SignalExtended => Expected::Named(&["+CESQ"]),
            Self::Operator => Expected::Named(&["+COPS"]),
            Self::EchoOff
            | Self::ErrorNumbers
            | Self::FunctionOn
            | Self::PinEnter
            | Self::PduMode
            | Self::Phase2
            | Self::Charset
            | Self::SmscSet
            | Self::RoutingSet
            | Self::CircuitUrc
            | Self::PacketUrc
            | Self::CallerId
            | Self::KeepLink => Expected::Nothing,
        }
    }
}
