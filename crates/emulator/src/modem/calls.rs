//! Voice calls as far as a ring is concerned (3GPP TS 27.007 §6.3, §6.5, §7.11, §7.18).

use std::time::{Duration, Instant};

use super::{
    Answer, Fail, Modem, ModemEvent,
    parse::{Ask, Command},
};

const RING_EVERY: Duration = Duration::from_secs(3);
const RINGS_MAX: u8 = 10;

/// How a call stands; the numbers are those of `+CLCC`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallState {
    /// Both ends talk.
    Active = 0,
    /// On its way to the other end.
    Dialling = 2,
    /// The other end rings.
    Alerting = 3,
    /// This end rings.
    Incoming = 4,
}

pub(super) struct Call {
    number: String,
    state: CallState,
    ring_at: Option<Instant>,
    rings_left: u8,
}

impl Call {
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.ring_at
    }
}

impl Modem {
    /// An outgoing call came so far.
    pub fn call_reached(&mut self, state: CallState) {
        if let Some(call) = &mut self.call {
            call.state = state;
        }
    }

    /// The other end, or the network, ended the call: `NO CARRIER`, `BUSY` or `NO ANSWER`.
    pub fn call_ended(&mut self, now: Instant, how: &str) {
        if self.call.take().is_some() {
            self.urc(now, how.to_owned());
        }
    }

    /// Somebody calls this modem. Nothing happens when it is off the air or in a call.
    pub fn ring(&mut self, now: Instant, from: &str) {
        if self.call.is_none() && self.is_on_air(now) {
            let (number, state) = (from.to_owned(), CallState::Incoming);
            self.call = Some(Call {
                number,
                state,
                ring_at: Some(now),
                rings_left: RINGS_MAX,
            });
            self.advance_call(now);
        }
    }

    pub(super) fn advance_call(&mut self, now: Instant) {
        let Some(call) = self
            .call
            .as_mut()
            .filter(|call| call.ring_at.is_some_and(|at| at <= now))
        else {
            return;
        };
        if call.rings_left == 0 {
            self.events.push_back(ModemEvent::HangUp);
            return self.call_ended(now, "NO CARRIER");
        }
        call.rings_left -= 1;
        call.ring_at = Some(now + RING_EVERY);
        let number = call.number.clone();
        self.urc(now, "RING".to_owned());
        if self.settings.caller_id {
            self.urc(now, format!("+CLIP: \"{number}\",145"));
        }
    }

    pub(super) fn call_command(&mut self, command: &Command) -> Option<Answer> {
        Some(match (command.name.as_str(), &command.ask) {
            ("D", Ask::Set(number)) => self.dial(number),
            ("H", _) | ("+CHUP", Ask::Do) => {
                if self.call.take().is_some() {
                    self.events.push_back(ModemEvent::HangUp);
                }
                Answer::ok()
            }
            ("+CHUP" | "+CLCC", Ask::Test) => Answer::ok(),
            ("A", Ask::Do) => match &mut self.call {
                Some(call) if call.state == CallState::Incoming => {
                    call.state = CallState::Active;
                    call.ring_at = None;
                    self.events.push_back(ModemEvent::PickUp);
                    Answer::ok()
                }
                _ => Answer::Fail(Fail::Plain),
            },
            ("+CLCC", Ask::Do) => Answer::Ok(
                self.call
                    .iter()
                    .map(|call| {
                        let incoming = u8::from(call.rings_left > 0);
                        format!(
                            "+CLCC: 1,{incoming},{},0,0,\"{}\",145",
                            call.state as u8, call.number
                        )
                    })
                    .collect(),
            ),
            ("+CLIP", Ask::Set(value)) => {
                self.settings.caller_id = value == "1";
                Answer::ok()
            }
            ("+CLIP", Ask::Read) => {
                Answer::line(format!("+CLIP: {},1", u8::from(self.settings.caller_id)))
            }
            ("+CLIP", Ask::Test) => Answer::line("+CLIP: (0,1)"),
            _ => return None,
        })
    }

    /// Voice only: a number without the closing semicolon would be a data call.
    fn dial(&mut self, text: &str) -> Answer {
        let Some(number) = text.strip_suffix(';') else {
            return Answer::Raw("\r\nNO CARRIER\r\n".to_owned());
        };
        if self.call.is_some() || !self.knobs.is_registered() || self.settings.functionality != 1 {
            return Answer::Raw("\r\nNO CARRIER\r\n".to_owned());
        }
        let number: String = number
            .chars()
            .filter(|c| c.is_ascii_digit() || *c == '+')
            .collect();
        let state = CallState::Dialling;
        self.call = Some(Call {
            number: number.clone(),
            state,
            ring_at: None,
            rings_left: 0,
        });
        self.events.push_back(ModemEvent::Dial(number));
        Answer::ok()
    }
}
