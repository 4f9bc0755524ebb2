//! Data coding scheme (3GPP TS 23.038 §4).

use crate::alphabet::Alphabet;

/// TP-DCS, every value of which is legal. The groups are read by the methods.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Dcs(pub u8);

/// A waiting-message lamp to be switched (coding groups 1100-1110).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MessageWaiting {
    /// Whether the lamp goes on.
    pub active: bool,
    /// 0 voicemail, 1 fax, 2 e-mail, 3 other.
    pub kind: u8,
    /// Whether the text may be thrown away once the lamp is switched (group 1100).
    pub discard_text: bool,
}

impl Dcs {
    /// Text in the GSM 7-bit alphabet, no class.
    pub const GSM7: Self = Self(0x00);
    /// 8-bit data, no class.
    pub const OCTETS: Self = Self(0x04);
    /// Text in UCS2, no class.
    pub const UCS2: Self = Self(0x08);

    /// The plain scheme for an alphabet.
    pub fn of(alphabet: Alphabet) -> Self {
        match alphabet {
            Alphabet::Gsm7 => Self::GSM7,
            Alphabet::Octets => Self::OCTETS,
            Alphabet::Ucs2 => Self::UCS2,
        }
    }

    /// The alphabet of the user data. Reserved codings mean GSM 7-bit, as the standard asks.
    pub fn alphabet(self) -> Alphabet {
        match self.0 >> 4 {
            0b0000..=0b0111 => match self.0 >> 2 & 3 {
                1 => Alphabet::Octets,
                2 => Alphabet::Ucs2,
                _ => Alphabet::Gsm7,
            },
            0b1110 => Alphabet::Ucs2,
            0b1111 if self.0 & 0x04 != 0 => Alphabet::Octets,
            _ => Alphabet::Gsm7,
        }
    }

    /// Whether the user data is compressed by 3GPP TS 23.042, which nobody does; such text cannot be read here.
    pub fn is_compressed(self) -> bool {
        self.0 & 0x80 == 0 && self.0 & 0x20 != 0
    }

    /// Message class 0-3; 0 is shown at once and not stored ("flash").
    pub fn class(self) -> Option<u8> {
        let has_class = match self.0 >> 4 {
            0b0000..=0b0111 => self.0 & 0x10 != 0,
            group => group == 0b1111,
        };
        has_class.then_some(self.0 & 3)
    }

    /// Whether the message asks to be deleted once read (groups 01xx).
    pub fn deletes_itself(self) -> bool {
        self.0 & 0xC0 == 0x40
    }

    /// The waiting-message lamp this message switches.
    pub fn message_waiting(self) -> Option<MessageWaiting> {
        matches!(self.0 >> 4, 0b1100..=0b1110).then_some(MessageWaiting {
            active: self.0 & 0x08 != 0,
            kind: self.0 & 3,
            discard_text: self.0 >> 4 == 0b1100,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_group_is_read_by_its_own_rule() {
        use Alphabet::{Gsm7, Octets, Ucs2};
        for (raw, alphabet, class) in [
            (0x00, Gsm7, None),
            (0x04, Octets, None),
            (0x08, Ucs2, None),
            (0x0C, Gsm7, None), // reserved alphabet
            (0x03, Gsm7, None), // class bits without the class flag
            (0x10, Gsm7, Some(0)),
            (0x18, Ucs2, Some(0)),
            (0x15, Octets, Some(1)),
            (0x48, Ucs2, None),
            (0x80, Gsm7, None), // reserved group
            (0xB4, Gsm7, None), // reserved group
            (0xC8, Gsm7, None),
            (0xD0, Gsm7, None),
            (0xE8, Ucs2, None),
            (0xF0, Gsm7, Some(0)),
            (0xF3, Gsm7, Some(3)),
            (0xF6, Octets, Some(2)),
        ] {
            assert_eq!(
                (Dcs(raw).alphabet(), Dcs(raw).class()),
                (alphabet, class),
                "{raw:02X}"
            );
        }
        assert!(Dcs(0x20).is_compressed() && Dcs(0x68).is_compressed());
        assert!(!Dcs(0xF0).is_compressed() && !Dcs(0xE8).is_compressed());
        assert!(Dcs(0x40).deletes_itself() && !Dcs(0x00).deletes_itself());
        let lamp = MessageWaiting {
            active: true,
            kind: 1,
            discard_text: true,
        };
        assert_eq!(Dcs(0xC9).message_waiting(), Some(lamp));
        assert_eq!(Dcs(0xF1).message_waiting(), None);
    }
}
