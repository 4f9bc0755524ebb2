//! Long texts in parts (3GPP TS 23.040 §9.2.3.24.1).

use crate::alphabet::{self, Alphabet, ESCAPE};
use crate::pdu::{Body, Concatenation, InformationElement, UserData};

/// How to cut a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentOptions {
    /// 8-bit reference all parts share. Keep a counter per recipient: random ones collide.
    pub reference: u8,
    /// More parts than this are an error. The format ends at 255.
    pub parts_max: u8,
    /// Whether typographic quotes, dashes and spaces may be sent as plain ones when that avoids UCS2.
    pub transliterate_typographic: bool,
}

impl Default for SegmentOptions {
    /// At most 6 parts, typography may be plain.
    fn default() -> Self {
        Self {
            reference: 0,
            parts_max: 6,
            transliterate_typographic: true,
        }
    }
}

/// A text ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segmented {
    /// The alphabet of all parts.
    pub alphabet: Alphabet,
    /// The text the recipient will see: the given one unless typography was made plain.
    pub text: String,
    /// At least one; with a concatenation header when there are several.
    pub parts: Vec<UserData>,
}

/// The text is too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the text needs {parts} SMS parts and {parts_max} are allowed; shorten it")]
pub struct TooManyParts {
    /// How many it needs.
    pub parts: usize,
    /// How many were allowed.
    pub parts_max: u8,
}

/// Units of one part alone, and of one among several with an 8-bit reference.
const GSM7_LIMITS: Limits = Limits {
    alone: 160,
    among_several: 153,
};
const UCS2_LIMITS: Limits = Limits {
    alone: 70,
    among_several: 67,
};

#[derive(Clone, Copy)]
struct Limits {
    alone: usize,
    among_several: usize,
}

/// Cuts a text into parts: GSM 7-bit when every character has its place there, else UCS2. No part ends inside a
/// surrogate pair or between an escape and its character.
pub fn segment(text: &str, options: &SegmentOptions) -> Result<Segmented, TooManyParts> {
    let coded = Coded::of(text, options.transliterate_typographic);
    let alphabet = coded.alphabet();
    let bodies = coded.bodies();
    let total = match u8::try_from(bodies.len()) {
        Ok(total) if total <= options.parts_max => total,
        _ => {
            return Err(TooManyParts {
                parts: bodies.len(),
                parts_max: options.parts_max,
            });
        }
    };
    let parts = (1..=total).zip(bodies).map(|(sequence, body)| {
        let concatenation = Concatenation {
            reference: u16::from(options.reference),
            reference_bits: 8,
            total,
            sequence,
        };
        let header: Vec<InformationElement> = (total > 1)
            .then(|| concatenation.element())
            .into_iter()
            .collect();
        UserData::new(header, body).expect("the limits leave room for this header")
    });
    let parts = parts.collect();
    Ok(Segmented {
        alphabet,
        text: coded.text,
        parts,
    })
}

/// How many parts [`segment`] would make, without a limit.
pub fn count_parts(text: &str, transliterate_typographic: bool) -> usize {
    Coded::of(text, transliterate_typographic).bodies().len()
}

/// How much of its parts a text takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Measure {
    /// The alphabet of all parts.
    pub alphabet: Alphabet,
    /// As [`segment`] would make, without a limit.
    pub parts: usize,
    /// Septets or UTF-16 units of the whole text.
    pub units: usize,
    /// Units that still fit without another part.
    pub left: usize,
}

/// Measures a text as [`segment`] would cut it.
pub fn measure(text: &str, transliterate_typographic: bool) -> Measure {
    let coded = Coded::of(text, transliterate_typographic);
    let (units, limits) = match &coded.units {
        Units::Gsm7(septets) => (septets.len(), GSM7_LIMITS),
        Units::Ucs2(units) => (units.len(), UCS2_LIMITS),
    };
    let bodies = coded.bodies();
    let room = match bodies.len() {
        1 => limits.alone,
        _ => limits.among_several,
    };
    let last = bodies.last().map_or(0, |body| match body {
        Body::Gsm7(septets) => septets.len(),
        Body::Octets(octets) => octets.len(),
        Body::Ucs2(units) => units.len(),
    });
    Measure {
        alphabet: coded.alphabet(),
        parts: bodies.len(),
        units,
        left: room.saturating_sub(last),
    }
}

/// The characters for whose sake a text must be sent as UCS2, each once, in order; none when it need not.
pub fn forcing_ucs2(text: &str, transliterate_typographic: bool) -> Vec<char> {
    let plain = match transliterate_typographic {
        true => alphabet::transliterate_typographic(text),
        false => text.to_owned(),
    };
    let mut forcing = Vec::new();
    for c in plain.chars() {
        if !forcing.contains(&c) && alphabet::encode_gsm7(c.encode_utf8(&mut [0; 4])).is_none() {
            forcing.push(c);
        }
    }
    forcing
}

/// A text in the alphabet it will be sent in.
struct Coded {
    text: String,
    units: Units,
}

enum Units {
    Gsm7(Vec<u8>),
    Ucs2(Vec<u16>),
}

impl Coded {
    fn of(text: &str, transliterate_typographic: bool) -> Self {
        if let Some(septets) = alphabet::encode_gsm7(text) {
            return Self {
                text: text.to_owned(),
                units: Units::Gsm7(septets),
            };
        }
        if transliterate_typographic {
            let plain = alphabet::transliterate_typographic(text);
            if let Some(septets) = alphabet::encode_gsm7(&plain) {
                return Self {
                    text: plain,
                    units: Units::Gsm7(septets),
                };
            }
        }
        Self {
            text: text.to_owned(),
            units: Units::Ucs2(alphabet::encode_ucs2(text)),
        }
    }

    fn alphabet(&self) -> Alphabet {
        match self.units {
            Units::Gsm7(_) => Alphabet::Gsm7,
            Units::Ucs2(_) => Alphabet::Ucs2,
        }
    }

    fn bodies(&self) -> Vec<Body> {
        match &self.units {
            Units::Gsm7(septets) => {
                let cuts = cut(septets, GSM7_LIMITS, |septet| *septet == ESCAPE);
                cuts.into_iter()
                    .map(|part| Body::Gsm7(part.to_vec()))
                    .collect()
            }
            Units::Ucs2(units) => {
                let cuts = cut(units, UCS2_LIMITS, |unit| (0xD800..0xDC00).contains(unit));
                cuts.into_iter()
                    .map(|part| Body::Ucs2(part.to_vec()))
                    .collect()
            }
        }
    }
}

/// Fills each part as far as it goes; a unit that needs its follower moves to the next part with it.
fn cut<T>(units: &[T], limits: Limits, needs_follower: impl Fn(&T) -> bool) -> Vec<&[T]> {
    if units.len() <= limits.alone {
        return vec![units];
    }
    let mut parts = Vec::new();
    let mut rest = units;
    while rest.len() > limits.among_several {
        // An escape is never escaped by this crate, so a unit that needs a follower is always the first of a pair.
        let splits_pair = needs_follower(&rest[limits.among_several - 1]);
        let (part, after) = rest.split_at(limits.among_several - usize::from(splits_pair));
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> Vec<usize> {
        let options = SegmentOptions {
            parts_max: 255,
            ..SegmentOptions::default()
        };
        let parts = segment(text, &options).unwrap().parts;
        let size = |part: &UserData| match part.body() {
            Body::Gsm7(septets) => septets.len(),
            Body::Octets(octets) => octets.len(),
            Body::Ucs2(units) => units.len(),
        };
        parts.iter().map(size).collect()
    }

    #[test]
    fn parts_are_as_long_as_the_standard_allows() {
        assert_eq!(sizes(""), [0]);
        assert_eq!(sizes(&"a".repeat(160)), [160]);
        assert_eq!(sizes(&"a".repeat(161)), [153, 8]);
        assert_eq!(sizes(&"a".repeat(307)), [153, 153, 1]);
        assert_eq!(sizes(&"ж".repeat(70)), [70]);
        assert_eq!(sizes(&"ж".repeat(71)), [67, 4]);
    }

    #[test]
    fn pairs_stay_together() {
        assert_eq!(
            sizes(&format!("{}€{}", "a".repeat(152), "b".repeat(10))),
            [152, 12]
        );
        assert_eq!(sizes(&"€".repeat(81)), [152, 10]);
        assert_eq!(
            sizes(&format!("{}🚒{}", "ж".repeat(66), "ж".repeat(10))),
            [66, 12]
        );
    }

    #[test]
    fn one_dash_does_not_cost_a_part() {
        let text = format!("{} – {}", "a".repeat(60), "b".repeat(60));
        assert_eq!(count_parts(&text, true), 1);
        assert_eq!(count_parts(&text, false), 2);
        assert_eq!(
            segment(&text, &SegmentOptions::default()).unwrap().text,
            text.replace('–', "-")
        );
    }

    #[test]
    fn a_text_is_measured_as_it_is_cut() {
        let of = |text: &str| {
            let found = measure(text, true);
            (found.alphabet, found.parts, found.units, found.left)
        };
        assert_eq!(of(""), (Alphabet::Gsm7, 1, 0, 160));
        assert_eq!(of(&"a".repeat(160)), (Alphabet::Gsm7, 1, 160, 0));
        assert_eq!(of(&"a".repeat(161)), (Alphabet::Gsm7, 2, 161, 145));
        assert_eq!(of("{€}"), (Alphabet::Gsm7, 1, 6, 154));
        assert_eq!(of(&"ж".repeat(71)), (Alphabet::Ucs2, 2, 71, 63));
        assert_eq!(of("a – b"), (Alphabet::Gsm7, 1, 5, 155));
    }

    #[test]
    fn what_forces_ucs2_is_named_once() {
        assert_eq!(
            forcing_ucs2("Тест: жар – Т", true),
            ['Т', 'е', 'с', 'т', 'ж', 'а', 'р']
        );
        assert_eq!(forcing_ucs2("Käpy – “ok” €", true), []);
        assert_eq!(forcing_ucs2("a – b", false), ['–']);
    }

    #[test]
    fn a_text_of_too_many_parts_is_refused() {
        let error = segment(&"a".repeat(5000), &SegmentOptions::default()).unwrap_err();
        assert_eq!(
            error,
            TooManyParts {
                parts: 33,
                parts_max: 6
            }
        );
        let options = SegmentOptions {
            parts_max: 255,
            ..SegmentOptions::default()
        };
        assert!(segment(&"a".repeat(153 * 255 + 1), &options).is_err());
    }

    #[test]
    fn parts_carry_their_numbers() {
        let options = SegmentOptions {
            reference: 7,
            ..SegmentOptions::default()
        };
        let parts = segment(&"a".repeat(200), &options).unwrap().parts;
        let expected = Concatenation {
            reference: 7,
            reference_bits: 8,
            total: 2,
            sequence: 2,
        };
        assert_eq!(parts[1].concatenation(), Some(expected));
    }
}
