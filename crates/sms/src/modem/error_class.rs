//! What a modem's error numbers mean for a message (3GPP TS 27.005 §3.2.5, TS 27.007 §9.2, TS 24.011 annex E-2,
//! TS 23.040 §9.2.3.22). Meanings are the standards'; the classes are our judgement.

use std::time::Duration;

/// What to do about a refused message.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ErrorClass {
    /// T: try again with this modem after a pause.
    Temporary,
    /// N: try another node now; this one stays up.
    OtherNode,
    /// D: this node's SMS is down. Alarm, send nothing more.
    NodeDown,
    /// P: permanent for this recipient or message.
    Permanent,
    /// B: we built something wrong. Alarm.
    OurBug,
}

impl ErrorClass {
    /// T, N, D, P or B, as operators' notes have them.
    pub fn letter(self) -> char {
        match self {
            Self::Temporary => 'T',
            Self::OtherNode => 'N',
            Self::NodeDown => 'D',
            Self::Permanent => 'P',
            Self::OurBug => 'B',
        }
    }
}

/// A final result other than `OK`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FinalError {
    /// `ERROR` without a number, or with words in its place.
    Plain,
    /// `+CMS ERROR: n`: message service (3GPP TS 27.005 §3.2.5).
    Cms(u16),
    /// `+CME ERROR: n`: the equipment (3GPP TS 27.007 §9.2).
    Cme(u16),
}

/// What an error says about the message that met it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The centre holds it already.
    Accepted,
    /// Nobody knows.
    Unknown,
    /// It was not taken.
    Refused {
        class: ErrorClass,
        retry_after: Duration,
        reaction: Reaction,
    },
}

/// What the engine itself does about an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reaction {
    None,
    /// Sweep the memories: they are full, or not what we think.
    Sweep,
    /// Set the service-centre address again.
    SetSmsc,
    /// Look at the SIM again.
    CheckSim,
    /// The modem itself is unwell; when this repeats, climb the ladder.
    Suspect,
    /// Ask for error numbers again.
    AskForNumbers,
}

impl std::fmt::Display for FinalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain => f.write_str("ERROR"),
            Self::Cms(code) => write!(f, "CMS error {code}"),
            Self::Cme(code) => write!(f, "CME error {code}"),
        }
    }
}

impl FinalError {
    /// Whether the SIM is still starting: the same command will do later.
    pub(super) fn is_busy(self) -> bool {
        matches!(self, Self::Cms(301 | 302 | 314) | Self::Cme(14))
    }

    /// Whether there is no SIM.
    pub(super) fn is_sim_missing(self) -> bool {
        matches!(self, Self::Cms(310) | Self::Cme(10))
    }

    /// Whether the SIM wants its PUK.
    pub(super) fn is_puk(self) -> bool {
        matches!(self, Self::Cms(312 | 316 | 318) | Self::Cme(12 | 18))
    }

    /// CMS 21 and 127: another node may fare better once; a second refusal of this kind is final.
    pub fn is_permanent_when_repeated(self) -> bool {
        matches!(self, Self::Cms(21 | 127))
    }

    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Plain => refused(ErrorClass::Temporary, PAUSE, Reaction::AskForNumbers),
            Self::Cms(code) => look_up(CMS, code),
            Self::Cme(code) => look_up(CME, code),
        }
    }
}

const PAUSE: Duration = Duration::from_secs(10);
const LONG_PAUSE: Duration = Duration::from_secs(300);

type Row = (u16, u16, Verdict);

const fn refused(class: ErrorClass, retry_after: Duration, reaction: Reaction) -> Verdict {
    Verdict::Refused {
        class,
        retry_after,
        reaction,
    }
}

const PERMANENT: Verdict = refused(ErrorClass::Permanent, LONG_PAUSE, Reaction::None);
const DOWN: Verdict = refused(ErrorClass::NodeDown, LONG_PAUSE, Reaction::None);
const SIM_DOWN: Verdict = refused(ErrorClass::NodeDown, LONG_PAUSE, Reaction::CheckSim);
const ELSEWHERE: Verdict = refused(ErrorClass::OtherNode, PAUSE, Reaction::None);
const ELSEWHERE_LONG: Verdict = refused(ErrorClass::OtherNode, LONG_PAUSE, Reaction::None);
const BUG: Verdict = refused(ErrorClass::OurBug, PAUSE, Reaction::None);
const AGAIN: Verdict = refused(ErrorClass::Temporary, PAUSE, Reaction::None);
const AGAIN_SWEPT: Verdict = refused(ErrorClass::Temporary, PAUSE, Reaction::Sweep);
const SUSPECT: Verdict = refused(ErrorClass::Temporary, PAUSE, Reaction::Suspect);

/// First and last number, and what they mean. The first row that holds the number counts.
const CMS: &[Row] = &[
    (1, 1, PERMANENT),             // unassigned number
    (8, 8, DOWN),                  // operator determined barring
    (10, 10, DOWN),                // call barred
    (17, 17, ELSEWHERE),           // network failure
    (21, 21, ELSEWHERE),           // short message transfer rejected
    (22, 22, AGAIN_SWEPT),         // memory capacity exceeded, or congestion
    (27, 27, ELSEWHERE_LONG),      // destination out of service
    (28, 30, DOWN),                // unidentified subscriber, facility rejected, unknown subscriber
    (38, 38, ELSEWHERE_LONG),      // network out of order
    (41, 42, ELSEWHERE),           // temporary failure, congestion
    (47, 47, ELSEWHERE),           // resources unavailable
    (50, 50, DOWN),                // requested facility not subscribed
    (69, 69, DOWN),                // requested facility not implemented
    (81, 81, BUG),                 // invalid transfer reference value
    (95, 99, BUG),                 // semantically incorrect message and kin
    (111, 111, BUG),               // protocol error
    (127, 127, ELSEWHERE),         // interworking, unspecified
    (128, 143, ELSEWHERE),         // telematic interworking
    (144, 145, BUG),               // data coding scheme or class not supported
    (192, 192, ELSEWHERE),         // service centre busy
    (193, 193, DOWN),              // no service centre subscription
    (194, 194, ELSEWHERE),         // service centre system failure
    (195, 196, PERMANENT),         // invalid address, destination barred
    (197, 197, Verdict::Accepted), // rejected duplicate: the centre has it
    (208, 208, AGAIN_SWEPT),       // SIM storage full
    (211, 211, AGAIN_SWEPT),       // memory capacity exceeded
    (300, 300, SUSPECT),           // mobile equipment failure
    (301, 302, AGAIN),             // service reserved, operation not allowed
    (303, 305, BUG),               // not supported, invalid parameter (often a wrong length)
    (310, 313, SIM_DOWN),          // SIM not inserted, PIN, PH-SIM PIN, SIM failure
    (314, 314, AGAIN),             // SIM busy
    (315, 318, SIM_DOWN),          // SIM wrong, PUK, PIN2, PUK2
    (320, 321, AGAIN_SWEPT),       // memory failure, invalid memory index
    (322, 322, AGAIN_SWEPT),       // memory full
    (
        330,
        330,
        refused(ErrorClass::Temporary, PAUSE, Reaction::SetSmsc),
    ), // service centre address unknown
    (331, 331, ELSEWHERE_LONG),    // no network service
    (332, 332, Verdict::Unknown),  // network timeout
    (350, 350, Verdict::Unknown),  // Quectel: no answer from the network, seen after 135 s
    (500, 500, SUSPECT),           // unknown error
    (512, u16::MAX, SUSPECT),      // the makers' own
    (0, u16::MAX, ELSEWHERE),      // whatever the standards leave open
];

const CME: &[Row] = &[
    (3, 4, BUG),                // operation not allowed, not supported
    (10, 13, SIM_DOWN),         // SIM not inserted, PIN, PUK, failure
    (14, 14, AGAIN),            // SIM busy
    (15, 18, SIM_DOWN),         // SIM wrong, incorrect password, PIN2, PUK2
    (20, 23, AGAIN_SWEPT),      // memory full, index, not found, failure
    (30, 30, ELSEWHERE_LONG),   // no network service
    (31, 31, Verdict::Unknown), // network timeout
    (100, 100, SUSPECT),        // unknown
    (0, u16::MAX, ELSEWHERE),
];

fn look_up(table: &[Row], code: u16) -> Verdict {
    let row = table
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&code));
    row.map(|(_, _, verdict)| *verdict)
        .expect("the last row holds every number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(error: FinalError) -> &'static str {
        match error.verdict() {
            Verdict::Accepted => "accepted",
            Verdict::Unknown => "unknown",
            Verdict::Refused { class, .. } => match class {
                ErrorClass::Temporary => "T",
                ErrorClass::OtherNode => "N",
                ErrorClass::NodeDown => "D",
                ErrorClass::Permanent => "P",
                ErrorClass::OurBug => "B",
            },
        }
    }

    #[test]
    fn every_error_has_its_class() {
        for (codes, expected) in [
            (&[1, 195, 196][..], "P"),
            (
                &[
                    8, 10, 28, 29, 30, 50, 69, 193, 310, 311, 312, 313, 315, 316, 317, 318,
                ],
                "D",
            ),
            (&[17, 41, 42, 47, 192, 194, 27, 38, 331, 21, 127], "N"),
            (
                &[
                    22, 300, 500, 512, 4000, 301, 302, 314, 320, 321, 322, 208, 211, 330,
                ],
                "T",
            ),
            (&[95, 96, 97, 98, 99, 111, 144, 145, 303, 304, 305], "B"),
            (&[332, 350], "unknown"),
            (&[197], "accepted"),
        ] {
            for code in codes {
                assert_eq!(class(FinalError::Cms(*code)), expected, "CMS {code}");
            }
        }
        for (code, expected) in [
            (10, "D"),
            (12, "D"),
            (14, "T"),
            (30, "N"),
            (31, "unknown"),
            (100, "T"),
            (3, "B"),
        ] {
            assert_eq!(class(FinalError::Cme(code)), expected, "CME {code}");
        }
        assert_eq!(class(FinalError::Plain), "T");
    }
}
