//! The tables of the scripts of India and of Urdu (3GPP TS 23.038 A.2.4-A.2.13, A.3.4-A.3.13).
//!
//! Nine scripts share one layout, because Unicode gave their blocks one: a position of the locking table is an offset
//! in the block, or a character all of them have. Six positions are each script's own.

use super::default::ESCAPE;

/// One of the nine scripts.
pub(super) struct Script {
    /// First code point of its Unicode block.
    block: u32,
    /// Offsets the layout names but the table leaves empty.
    absent: &'static [u8],
    /// Positions 0x60 and 0x7B-0x7F.
    own: [char; 6],
}

impl Script {
    /// The character at a position of the locking shift table; a space where it has none.
    pub(super) fn locking(&self, septet: u8) -> char {
        let own = |index: usize| self.own[index];
        match septet {
            0x60 => own(0),
            0x61..=0x7A => septet as char,
            0x7B..=0x7F => own(usize::from(septet - 0x7B) + 1),
            _ => match LAYOUT[usize::from(septet % 0x60)] {
                At::Common(character) => character,
                At::Offset(offset) if self.absent.contains(&offset) => ' ',
                At::Offset(offset) => char::from_u32(self.block + u32::from(offset)).unwrap_or(' '),
            },
        }
    }
}

/// What a position of the common layout holds.
#[derive(Clone, Copy)]
enum At {
    Common(char),
    Offset(u8),
}

use At::{Common as C, Offset as O};

/// Positions 0x00-0x5F of the nine locking shift tables.
#[rustfmt::skip]
const LAYOUT: [At; 0x60] = [
    O(0x01), O(0x02), O(0x03), O(0x05), O(0x06), O(0x07), O(0x08), O(0x09),
    O(0x0A), O(0x0B), C('\n'), O(0x0C), O(0x0D), C('\r'), O(0x0E), O(0x0F),
    O(0x10), O(0x11), O(0x12), O(0x13), O(0x14), O(0x15), O(0x16), O(0x17),
    O(0x18), O(0x19), O(0x1A), C(ESCAPE as char), O(0x1B), O(0x1C), O(0x1D), O(0x1E),
    C(' '), C('!'), O(0x1F), O(0x20), O(0x21), O(0x22), O(0x23), O(0x24),
    C(')'), C('('), O(0x25), O(0x26), C(','), O(0x27), C('.'), O(0x28),
    C('0'), C('1'), C('2'), C('3'), C('4'), C('5'), C('6'), C('7'),
    C('8'), C('9'), C(':'), C(';'), O(0x29), O(0x2A), O(0x2B), C('?'),
    O(0x2C), O(0x2D), O(0x2E), O(0x2F), O(0x30), O(0x31), O(0x32), O(0x33),
    O(0x34), O(0x35), O(0x36), O(0x37), O(0x38), O(0x39), O(0x3C), O(0x3D),
    O(0x3E), O(0x3F), O(0x40), O(0x41), O(0x42), O(0x43), O(0x44), O(0x45),
    O(0x46), O(0x47), O(0x48), O(0x49), O(0x4A), O(0x4B), O(0x4C), O(0x4D),
];

/// A.3.4.
pub(super) const BENGALI: Script = Script {
    block: 0x0980,
    absent: &[
        0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x33, 0x34, 0x35, 0x45, 0x46, 0x49, 0x4A,
    ],
    own: [
        '\u{9CE}', '\u{9D7}', '\u{9DC}', '\u{9DD}', '\u{9F0}', '\u{9F1}',
    ],
};

/// A.3.5.
pub(super) const GUJARATI: Script = Script {
    block: 0x0A80,
    absent: &[0x0E, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4A],
    own: [
        '\u{AD0}', '\u{AE0}', '\u{AE1}', '\u{AE2}', '\u{AE3}', '\u{AF1}',
    ],
};

/// A.3.6.
pub(super) const HINDI: Script = Script {
    block: 0x0900,
    absent: &[],
    own: [
        '\u{950}', '\u{972}', '\u{97B}', '\u{97C}', '\u{97E}', '\u{97F}',
    ],
};

/// A.3.7.
pub(super) const KANNADA: Script = Script {
    block: 0x0C80,
    absent: &[0x01, 0x0D, 0x11, 0x29, 0x34, 0x45, 0x49],
    own: [
        '\u{CD5}', '\u{CD6}', '\u{CE0}', '\u{CE1}', '\u{CE2}', '\u{CE3}',
    ],
};

/// A.3.8.
pub(super) const MALAYALAM: Script = Script {
    block: 0x0D00,
    absent: &[0x01, 0x0D, 0x11, 0x29, 0x3C, 0x45, 0x49],
    own: [
        '\u{D57}', '\u{D60}', '\u{D61}', '\u{D62}', '\u{D63}', '\u{D79}',
    ],
};

/// A.3.9.
pub(super) const ORIYA: Script = Script {
    block: 0x0B00,
    absent: &[
        0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x45, 0x46, 0x49, 0x4A,
    ],
    own: [
        '\u{B56}', '\u{B57}', '\u{B60}', '\u{B61}', '\u{B62}', '\u{B63}',
    ],
};

/// A.3.10.
pub(super) const PUNJABI: Script = Script {
    block: 0x0A00,
    absent: &[
        0x0B, 0x0C, 0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x37, 0x3D, 0x43, 0x44, 0x45, 0x46,
        0x49, 0x4A,
    ],
    own: [
        '\u{A51}', '\u{A70}', '\u{A71}', '\u{A72}', '\u{A73}', '\u{A74}',
    ],
};

/// A.3.11.
pub(super) const TAMIL: Script = Script {
    block: 0x0B80,
    absent: &[
        0x01, 0x0B, 0x0C, 0x0D, 0x11, 0x16, 0x17, 0x18, 0x1B, 0x1D, 0x20, 0x21, 0x22, 0x25, 0x26,
        0x27, 0x2B, 0x2C, 0x2D, 0x3C, 0x3D, 0x43, 0x44, 0x45, 0x49,
    ],
    own: [
        '\u{BD0}', '\u{BD7}', '\u{BF0}', '\u{BF1}', '\u{BF2}', '\u{BF9}',
    ],
};

/// A.3.12.
pub(super) const TELUGU: Script = Script {
    block: 0x0C00,
    absent: &[0x0D, 0x11, 0x29, 0x34, 0x3C, 0x45, 0x49],
    own: [
        '\u{C55}', '\u{C56}', '\u{C60}', '\u{C61}', '\u{C62}', '\u{C63}',
    ],
};

/// A.3.13: Urdu, in a layout of its own.
#[rustfmt::skip]
pub(super) const URDU_LOCKING: [char; 128] = [
    '\u{627}', '\u{622}', '\u{628}', '\u{67B}', '\u{680}', '\u{67E}', '\u{6A6}', '\u{62A}',
    '\u{6C2}', '\u{67F}', '\n', '\u{679}', '\u{67D}', '\r', '\u{67A}', '\u{67C}',
    '\u{62B}', '\u{62C}', '\u{681}', '\u{684}', '\u{683}', '\u{685}', '\u{686}', '\u{687}',
    '\u{62D}', '\u{62E}', '\u{62F}', '\u{1B}', '\u{68C}', '\u{688}', '\u{689}', '\u{68A}',
    ' ', '!', '\u{68F}', '\u{68D}', '\u{630}', '\u{631}', '\u{691}', '\u{693}',
    ')', '(', '\u{699}', '\u{632}', ',', '\u{696}', '.', '\u{698}',
    '0', '1', '2', '3', '4', '5', '6', '7',
    '8', '9', ':', ';', '\u{69A}', '\u{633}', '\u{634}', '?',
    '\u{635}', '\u{636}', '\u{637}', '\u{638}', '\u{639}', '\u{641}', '\u{642}', '\u{6A9}',
    '\u{6AA}', '\u{6AB}', '\u{6AF}', '\u{6B3}', '\u{6B1}', '\u{644}', '\u{645}', '\u{646}',
    '\u{6BA}', '\u{6BB}', '\u{6BC}', '\u{648}', '\u{6C4}', '\u{6D5}', '\u{6C1}', '\u{6BE}',
    '\u{621}', '\u{6CC}', '\u{6D0}', '\u{6D2}', '\u{64D}', '\u{650}', '\u{64F}', '\u{657}',
    '\u{654}', 'a', 'b', 'c', 'd', 'e', 'f', 'g',
    'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w',
    'x', 'y', 'z', '\u{655}', '\u{651}', '\u{653}', '\u{656}', '\u{670}',
];

/// The character at a position of a single shift table of these scripts: its own runs first, then what all ten have.
pub(super) fn single(runs: &[Run], septet: u8) -> Option<char> {
    let in_run = |(start, characters): &Run| {
        characters
            .chars()
            .nth(usize::from(septet.checked_sub(*start)?))
    };
    let common = || match septet {
        0x41..=0x5A => Some(septet as char),
        _ => SINGLE_COMMON
            .iter()
            .find(|(position, _)| *position == septet)
            .map(|(_, character)| *character),
    };
    runs.iter().find_map(in_run).or_else(common)
}

/// A position and the characters from there on.
pub(super) type Run = (u8, &'static str);

/// What the ten single shift tables have in common, beside the capital letters.
#[rustfmt::skip]
const SINGLE_COMMON: [(u8, char); 32] = [
    (0x00, '@'), (0x01, '£'), (0x02, '$'), (0x03, '¥'), (0x04, '¿'), (0x05, '"'), (0x06, '¤'), (0x07, '%'),
    (0x08, '&'), (0x09, '\''), (0x0A, '\u{0C}'), (0x0B, '*'), (0x0C, '+'), (0x0E, '-'), (0x0F, '/'), (0x10, '<'),
    (0x11, '='), (0x12, '>'), (0x13, '¡'), (0x14, '^'), (0x15, '¡'), (0x16, '_'), (0x17, '#'), (0x18, '*'),
    (0x28, '{'), (0x29, '}'), (0x2F, '\\'), (0x3C, '['), (0x3D, '~'), (0x3E, ']'), (0x40, '|'), (0x65, '€'),
];

/// A.2.4.
pub(super) const BENGALI_SINGLE: &[Run] = &[
    (0x19, "\u{9E6}\u{9E7}"),
    (
        0x1C,
        "\u{9E8}\u{9E9}\u{9EA}\u{9EB}\u{9EC}\u{9ED}\u{9EE}\u{9EF}\u{9DF}\u{9E0}\u{9E1}\u{9E2}",
    ),
    (0x2A, "\u{9E3}\u{9F2}\u{9F3}\u{9F4}\u{9F5}"),
    (0x30, "\u{9F6}\u{9F7}\u{9F8}\u{9F9}\u{9FA}"),
];

/// A.2.5.
pub(super) const GUJARATI_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"),
    (
        0x1C,
        "\u{AE6}\u{AE7}\u{AE8}\u{AE9}\u{AEA}\u{AEB}\u{AEC}\u{AED}\u{AEE}\u{AEF}",
    ),
];

/// A.2.6.
pub(super) const HINDI_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"),
    (
        0x1C,
        "\u{966}\u{967}\u{968}\u{969}\u{96A}\u{96B}\u{96C}\u{96D}\u{96E}\u{96F}\u{951}\u{952}",
    ),
    (0x2A, "\u{953}\u{954}\u{958}\u{959}\u{95A}"),
    (
        0x30,
        "\u{95B}\u{95C}\u{95D}\u{95E}\u{95F}\u{960}\u{961}\u{962}\u{963}\u{970}\u{971}",
    ),
];

/// A.2.7.
pub(super) const KANNADA_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"),
    (
        0x1C,
        "\u{CE6}\u{CE7}\u{CE8}\u{CE9}\u{CEA}\u{CEB}\u{CEC}\u{CED}\u{CEE}\u{CEF}\u{CDE}\u{CF1}",
    ),
    (0x2A, "\u{CF2}"),
];

/// A.2.8.
pub(super) const MALAYALAM_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"),
    (
        0x1C,
        "\u{D66}\u{D67}\u{D68}\u{D69}\u{D6A}\u{D6B}\u{D6C}\u{D6D}\u{D6E}\u{D6F}\u{D70}\u{D71}",
    ),
    (0x2A, "\u{D72}\u{D73}\u{D74}\u{D75}\u{D7A}"),
    (0x30, "\u{D7B}\u{D7C}\u{D7D}\u{D7E}\u{D7F}"),
];

/// A.2.9.
pub(super) const ORIYA_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"),
    (
        0x1C,
        "\u{B66}\u{B67}\u{B68}\u{B69}\u{B6A}\u{B6B}\u{B6C}\u{B6D}\u{B6E}\u{B6F}\u{B5C}\u{B5D}",
    ),
    (0x2A, "\u{B5F}\u{B70}\u{B71}"),
];

/// A.2.10.
pub(super) const PUNJABI_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"),
    (
        0x1C,
        "\u{A66}\u{A67}\u{A68}\u{A69}\u{A6A}\u{A6B}\u{A6C}\u{A6D}\u{A6E}\u{A6F}\u{A59}\u{A5A}",
    ),
    (0x2A, "\u{A5B}\u{A5C}\u{A5E}\u{A75}"),
];

/// A.2.11.
pub(super) const TAMIL_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"),
    (
        0x1C,
        "\u{BE6}\u{BE7}\u{BE8}\u{BE9}\u{BEA}\u{BEB}\u{BEC}\u{BED}\u{BEE}\u{BEF}\u{BF3}\u{BF4}",
    ),
    (0x2A, "\u{BF5}\u{BF6}\u{BF7}\u{BF8}\u{BFA}"),
];

/// A.2.12.
pub(super) const TELUGU_SINGLE: &[Run] = &[
    (
        0x1C,
        "\u{C66}\u{C67}\u{C68}\u{C69}\u{C6A}\u{C6B}\u{C6C}\u{C6D}\u{C6E}\u{C6F}\u{C58}\u{C59}",
    ),
    (0x2A, "\u{C78}\u{C79}\u{C7A}\u{C7B}\u{C7C}"),
    (0x30, "\u{C7D}\u{C7E}\u{C7F}"),
];

/// A.2.13.
pub(super) const URDU_SINGLE: &[Run] = &[
    (0x19, "\u{600}\u{601}"),
    (
        0x1C,
        "\u{6F0}\u{6F1}\u{6F2}\u{6F3}\u{6F4}\u{6F5}\u{6F6}\u{6F7}\u{6F8}\u{6F9}\u{60C}\u{60D}",
    ),
    (0x2A, "\u{60E}\u{60F}\u{610}\u{611}\u{612}"),
    (
        0x30,
        "\u{613}\u{614}\u{61B}\u{61F}\u{640}\u{652}\u{658}\u{66B}\u{66C}\u{672}\u{673}\u{6CD}",
    ),
    (0x3F, "\u{6D4}"),
];
