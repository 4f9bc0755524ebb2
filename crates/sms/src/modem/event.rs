//! What the engine tells its driver.

use std::fmt;
use std::time::Duration;

use super::error_class::{ErrorClass, FinalError};
use crate::pdu::{DeliverPdu, StatusReportPdu};

/// The driver's name for one part it submitted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SubmitId(pub u64);

/// What became of one submitted part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The service centre took it. Without a reference (the modem gave none, or the centre held it already) no
    /// status report can be matched.
    Accepted {
        /// TP-MR as the modem answered it.
        message_reference: Option<u8>,
    },
    /// It never left, or was turned down.
    Refused {
        /// What to do about it.
        class: ErrorClass,
        /// Why.
        reason: RefusalReason,
        /// How long to leave this modem alone with it.
        retry_after: Duration,
    },
    /// It may have been sent. For an alert a repetition is better than a loss.
    Unknown {
        /// Why nobody knows.
        reason: UnknownReason,
    },
}

/// The driver's name for one ring.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RingId(pub u64);

/// What became of one ring. None of these says that a person heard it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RingOutcome {
    /// It was called for its whole time and nobody took the call.
    Rang {
        /// The modem said that the phone rang; without, it only was dialled for so long.
        alerted: bool,
    },
    /// Somebody, or a voice mail, took the call; it was hung up at once.
    Answered,
    /// The phone is in another call, or the call was turned down.
    Busy,
    /// The network ended a call nobody took.
    NoAnswer,
    /// The network ended the call before the phone rang: it is switched off, or the number does not exist.
    NotReached,
    /// It was never dialled, or the modem refused to.
    Refused {
        /// Why.
        reason: RefusalReason,
    },
    /// The phone may have rung.
    Unknown {
        /// Why nobody knows.
        reason: UnknownReason,
    },
}

/// Why a part or a ring was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalReason {
    /// The modem or the network answered with this error.
    Error(FinalError),
    /// The modem did not ask for the message, twice.
    NoPrompt,
    /// The modem is registered nowhere.
    NotRegistered,
    /// The modem was not ready for too long, or its port closed before the message was handed over.
    NotReady,
    /// The SIM or the modem needs a person; see the last [`Trouble`].
    Stopped,
    /// More parts wait than the engine holds.
    QueueFull,
}

/// Why an outcome is unknown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnknownReason {
    /// No final answer within 150 s.
    Silence,
    /// The port closed, or the modem was reset, after the message had been handed over.
    PortLost,
    /// The network did not answer the modem.
    NetworkTimeout(FinalError),
}

/// A store of messages in the modem or on the SIM (3GPP TS 27.005 §2.3): `SM`, `ME`, `MT`, `SR` …
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Memory([u8; 2]);

impl Memory {
    /// The modem's own memory.
    pub const ME: Self = Self(*b"ME");
    /// The SIM.
    pub const SM: Self = Self(*b"SM");

    /// Two capital letters.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(letters))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0[0] as char, self.0[1] as char)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names one received PDU until the driver has made it durable.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StoredToken(pub(super) u64);

/// News from the engine, in the order things happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The modem is set up; parts will be tried. Comes again after every full set-up.
    Ready,
    /// A part has ended, once per [`SubmitId`].
    Submitted {
        /// As given to `submit`.
        id: SubmitId,
        /// How it ended.
        outcome: Outcome,
    },
    /// 25 s without a final answer: the part may still go out, urgent ones should also start elsewhere.
    Slow {
        /// As given to `submit`.
        id: SubmitId,
    },
    /// A ring has ended, once per [`RingId`], and the line is hung up.
    RingEnded {
        /// As given to `ring`.
        id: RingId,
        /// How it ended.
        outcome: RingOutcome,
    },
    /// Somebody calls this modem, once per call. The call is turned down.
    Called {
        /// The caller's number, when it is shown and readable.
        from: Option<String>,
    },
    /// A message came in. It may come twice: after a restart, and when it stays unconfirmed for long.
    Received {
        /// Confirm with it once the message is durable; only then is it deleted from the modem.
        token: StoredToken,
        /// As decoded.
        pdu: Box<DeliverPdu>,
        /// As received, hexadecimal.
        raw: String,
    },
    /// A status report came in.
    Reported {
        /// To be confirmed like a message.
        token: StoredToken,
        /// The part it is about; `None` when this engine does not remember one, for instance after a restart.
        id: Option<SubmitId>,
        /// The report.
        report: Box<StatusReportPdu>,
    },
    /// Something in the modem's memory cannot be read. Keep the raw text, then confirm.
    Quarantined {
        /// To be confirmed like a message.
        token: StoredToken,
        /// As received; normally hexadecimal.
        raw: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// The SIM asks for its PIN. Look up whether this PIN was ever tried on this SIM; if not, make the try durable
    /// first and then answer with `answer_pin`.
    PinWanted {
        /// The SIM's number, when it tells it before the PIN.
        iccid: Option<String>,
    },
    /// Identity, registration, signal or operator have changed.
    Status(Box<Status>),
    /// A memory is 70 % full or more; when it is full, nothing arrives and nothing says so.
    MemoryFilling {
        /// Which.
        memory: Memory,
        /// Messages in it.
        used: u16,
        /// Messages it can hold.
        total: u16,
    },
    /// A person should know.
    Trouble(Trouble),
    /// Close the port, wait until it is there again, open it, call `port_opened`.
    ReopenPort,
    /// All steps of the ladder have failed. The engine keeps trying, slowly.
    Dead,
}

/// Conditions that need a person.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// Nothing ever came back.
    #[error(
        "nothing on this port answers AT; check that it is the modem's command port and that the modem has power"
    )]
    Silent,
    /// Something came back, but never `OK`.
    #[error(
        "this port answers AT with {heard:?}; check that it is the modem's command port and its speed"
    )]
    NotAModem {
        /// The beginning of it.
        heard: String,
    },
    /// No SIM.
    #[error("the modem has no SIM card; insert one, contacts first")]
    SimMissing,
    /// The SIM or modem failed.
    #[error("the SIM cannot be used ({state}); take it out, check it in a phone")]
    SimUnusable {
        /// The modem's word or number for it.
        state: String,
    },
    /// A PIN is wanted and none is configured.
    #[error(
        "the SIM asks for a PIN and none is configured; configure it, or better switch the PIN off"
    )]
    PinMissing,
    /// The PIN has had its one try, or the driver forbids it.
    #[error(
        "the configured PIN has already been tried on this SIM and is not tried again; check it and unlock the SIM in a phone"
    )]
    PinSpent,
    /// The PIN was wrong.
    #[error("the SIM rejected the configured PIN; correct it before the tries run out")]
    PinRejected,
    /// Too few tries are left, or the modem does not tell how many.
    #[error("the PIN is not tried because {} tries are left; unlock the SIM in a phone", tries.map_or("an unknown number of".to_owned(), |n| n.to_string()))]
    PinTriesLow {
        /// How many are left, if the modem tells.
        tries: Option<u8>,
    },
    /// The SIM is blocked.
    #[error("the SIM is blocked and asks for its PUK; unlock it in a phone")]
    PukRequired,
    /// No service-centre address on the SIM nor in the configuration.
    #[error("the SIM holds no service-centre number; configure the operator's")]
    NoServiceCentre,
    /// A command the engine cannot do without was refused.
    #[error("the modem refuses {command} ({error}); it may not support SMS in PDU mode")]
    SetupRefused {
        /// The command.
        command: String,
        /// The answer.
        error: FinalError,
    },
}

/// What is known of modem, SIM and network.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Maker, model and firmware.
    pub manufacturer: Option<String>,
    /// `AT+CGMM`.
    pub model: Option<String>,
    /// `AT+CGMR`.
    pub revision: Option<String>,
    /// `AT+CGSN`: the modem's number.
    pub imei: Option<String>,
    /// `AT+CIMI`: the subscriber's number.
    pub imsi: Option<String>,
    /// The SIM card's number.
    pub iccid: Option<String>,
    /// Operator's name or code.
    pub operator: Option<String>,
    /// Registration for calls (`+CREG`).
    pub circuit: Option<Registration>,
    /// Registration in LTE (`+CEREG`).
    pub packet: Option<Registration>,
    /// Received power in dBm: RSSI of `+CSQ`, or RSRP of `+CESQ` when that is all there is.
    pub signal_dbm: Option<i16>,
}

impl Status {
    /// Whether SMS can pass: registered at home, roaming, or for SMS only, in either domain. `None` when unknown.
    pub fn can_sms(&self) -> Option<bool> {
        match (self.circuit, self.packet) {
            (None, None) => None,
            (circuit, packet) => Some(
                [circuit, packet]
                    .into_iter()
                    .flatten()
                    .any(Registration::can_sms),
            ),
        }
    }

    /// Whether calls can pass: registered at home or roaming, in either domain. `None` when unknown. Whether the plan and
    /// the operator allow calls over LTE only a call shows.
    pub fn can_call(&self) -> Option<bool> {
        match (self.circuit, self.packet) {
            (None, None) => None,
            (circuit, packet) => Some(
                [circuit, packet]
                    .into_iter()
                    .flatten()
                    .any(|registration| matches!(registration.0, 1 | 5)),
            ),
        }
    }
}

/// `<stat>` of `+CREG` and `+CEREG` (3GPP TS 27.007 §7.2, §10.1.22).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Registration(pub u8);

impl Registration {
    /// 1 home, 5 roaming, 6 and 7 for SMS only.
    pub fn can_sms(self) -> bool {
        matches!(self.0, 1 | 5 | 6 | 7)
    }
}
