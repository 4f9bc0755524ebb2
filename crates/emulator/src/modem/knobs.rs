//! What can be turned while a modem runs.

use std::{collections::BTreeMap, collections::VecDeque, time::Duration};

use rand::RngExt;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

/// A span of milliseconds, `[least, most]`; each use draws one value from it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Between(pub [u64; 2]);

impl Between {
    /// Always the same number of milliseconds.
    #[must_use]
    pub const fn exactly(millis: u64) -> Self {
        Self([millis, millis])
    }

    pub(crate) fn draw(self, rng: &mut impl RngExt) -> Duration {
        let [least, most] = self.0;
        Duration::from_millis(if least >= most {
            least
        } else {
            rng.random_range(least..=most)
        })
    }
}

/// How bytes leave the port.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// One write per answer or unsolicited line.
    #[default]
    Whole,
    /// One byte per write, one each millisecond.
    Dribble,
    /// What falls within 15 ms leaves in one write.
    Merged,
}

/// How a modem stops answering.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hang {
    /// It works.
    #[default]
    No,
    /// Only `+CMGL` is never answered.
    Listing,
    /// Swallows everything until the port is closed and opened again.
    UntilReopened,
    /// Swallows everything, but still obeys `AT+CFUN=1,1` (without answering), which heals it.
    UntilReset,
    /// Swallows everything until it loses power (`unplug`).
    UntilPowerCut,
}

/// What becomes of one submission; taken from `submit_faults` in order, then `submit_always`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitFault {
    /// The network takes it.
    #[default]
    None,
    /// Refused with `+CMS ERROR: n`.
    Cms(u16),
    /// Refused with a bare `ERROR`.
    Error,
    /// No prompt ever comes.
    NoPrompt,
    /// The network takes it, the answer never comes.
    SilentSent,
    /// It is lost, and the answer never comes.
    SilentLost,
    /// The network takes it, and the port vanishes instead of answering.
    VanishSent,
    /// It is lost, and the port vanishes.
    VanishLost,
}

/// The SIM as the modem sees it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sim {
    /// In its place.
    #[default]
    Present,
    /// No card: `+CME ERROR: 10`, `+CMS ERROR: 310`.
    Removed,
    /// A card that does not answer: `+CME ERROR: 13`, `+CMS ERROR: 313`.
    Faulty,
}

/// All that can be turned while a modem runs. Unknown names in JSON are refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// From a command's last byte to its answer.
    pub answer_ms: Between,
    /// From `+CMGS=n` to the prompt.
    pub prompt_ms: Between,
    /// From Ctrl-Z to `+CMGS: mr`: the rate of the line.
    pub submit_ms: Between,
    /// How bytes leave.
    pub framing: Framing,
    /// Percentage of answers with noise before them.
    pub garbage_percent: u8,
    /// How the modem stops answering.
    pub hang: Hang,
    /// Sends unsolicited lines at once, also inside commands, and adds vendor chatter there.
    pub urc_inside: bool,
    /// Vendor chatter (`^RSSI: n`) every so many milliseconds; 0 is never.
    pub chatter_ms: u64,
    /// What becomes of the next submissions, first in first out.
    pub submit_faults: VecDeque<SubmitFault>,
    /// What becomes of the submissions after those.
    pub submit_always: SubmitFault,
    /// Commands with a scripted answer: key without `AT` (`+CPMS=?`), value the lines to give, the
    /// last being the result code; an empty value means silence.
    pub answers: BTreeMap<String, String>,
    /// `<stat>` of `+CREG` (3GPP TS 27.007 §7.2).
    pub creg: u8,
    /// `<stat>` of `+CGREG`.
    pub cgreg: u8,
    /// `<stat>` of `+CEREG`.
    pub cereg: u8,
    /// `<rssi>` of `+CSQ`, 0-31 or 99.
    pub rssi: u8,
    /// The card.
    pub sim: Sim,
    /// The card asks for this PIN after power-on. Changing it is putting in another card, with all its tries.
    pub pin: Option<String>,
    /// After power-on or PIN entry, how long the SIM answers "busy".
    pub sim_busy_ms: u64,
    /// Highest `<ds>` that `+CNMI=?` offers: 1 (reports as `+CDS` only) or 2 (also the `SR` memory).
    pub report_route_max: u8,
    /// With `+CSMS=1`, how long the network waits for `+CNMA` before routing is switched off.
    pub acknowledge_ms: u64,
    /// How long the port is gone after `+CFUN=1,1`.
    pub absence_ms: Between,
    /// Places in the SIM's memory.
    pub sm_size: u16,
    /// Places in the modem's own memory; 0 removes it.
    pub me_size: u16,
    /// Places for status reports.
    pub sr_size: u16,
    /// From delivery to its status report.
    pub report_ms: Between,
    /// Reports are sent before the answer to the submission they belong to.
    pub report_early: bool,
    /// No report ever comes.
    pub report_missing: bool,
    /// Reports wait for a second one (at most 3 s) and then come newest first.
    pub report_reversed: bool,
    /// A "still trying" report (TP-ST 0x20) precedes the final one.
    pub report_trying_first: bool,
    /// TP-ST of the final report (3GPP TS 23.040 §9.2.3.15).
    pub report_status: u8,
    /// Percentage of submitted messages that the network accepts and loses.
    pub lost_out_percent: u8,
    /// Percentage of messages to this modem that the network loses.
    pub lost_in_percent: u8,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            answer_ms: Between::exactly(0),
            prompt_ms: Between::exactly(0),
            submit_ms: Between([20, 60]),
            framing: Framing::Whole,
            garbage_percent: 0,
            hang: Hang::No,
            urc_inside: false,
            chatter_ms: 0,
            submit_faults: VecDeque::new(),
            submit_always: SubmitFault::None,
            answers: BTreeMap::new(),
            creg: 1,
            cgreg: 1,
            cereg: 1,
            rssi: 21,
            sim: Sim::Present,
            pin: None,
            sim_busy_ms: 0,
            report_route_max: 1,
            acknowledge_ms: 15_000,
            absence_ms: Between::exactly(10_000),
            sm_size: 20,
            me_size: 50,
            sr_size: 10,
            report_ms: Between([20, 60]),
            report_early: false,
            report_missing: false,
            report_reversed: false,
            report_trying_first: false,
            report_status: 0,
            lost_out_percent: 0,
            lost_in_percent: 0,
        }
    }
}

impl Knobs {
    /// These knobs with the named fields of a JSON object replaced.
    ///
    /// # Errors
    /// A name that is no knob, or a value of the wrong kind.
    pub fn patched(&self, patch: &Value) -> Result<Self, serde_json::Error> {
        patched(self, patch)
    }

    /// Whether either domain can carry an SMS: home, roaming, or "SMS only" (3GPP TS 27.007 §7.2).
    #[must_use]
    pub fn is_registered(&self) -> bool {
        [self.creg, self.cereg]
            .iter()
            .any(|stat| matches!(stat, 1 | 5 | 6 | 7))
    }
}

/// A serialisable object with the named fields of a JSON object replaced.
pub(crate) fn patched<T: Serialize + DeserializeOwned>(
    whole: &T,
    patch: &Value,
) -> Result<T, serde_json::Error> {
    let mut all = serde_json::to_value(whole)?;
    match (all.as_object_mut(), patch.as_object()) {
        (Some(fields), Some(patch)) => fields.extend(patch.clone()),
        _ => return Err(serde_json::Error::custom("give an object of knobs")),
    }
    serde_json::from_value(all)
}
