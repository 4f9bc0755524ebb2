//! Bytes that should be text: which encoding, and what to say about it.

/// Windows-1252 from 0x80 to 0x9F (WHATWG Encoding §9.1); the rest of it is Latin-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Decodes UTF-8, UTF-16 with a byte order mark, or else Windows-1252, of which ISO-8859-1 is a part.
pub(crate) fn decode(bytes: &[u8]) -> (String, Vec<String>) {
    for (mark, big) in [(b"\xff\xfe", false), (b"\xfe\xff", true)] {
        if let Some(rest) = bytes.strip_prefix(mark) {
            return (utf16(rest, big), Vec::new());
        }
    }
    // Spreadsheets put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), Vec::new());
    }
    let letter = |byte: &u8| match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        other => char::from(*other),
    };
    let warning = "the file is not UTF-8 and was read as Windows-1252; look at letters such as å, ä and ö, or save it \
                   as UTF-8";
    (bytes.iter().map(letter).collect(), vec![warning.to_owned()])
}

fn utf16(bytes: &[u8], big: bool) -> String {
    let unit = |pair: &[u8]| {
        let pair = [pair[0], pair[1]];
        if big {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        }
    };
    let units = bytes.chunks_exact(2).map(unit);
    char::decode_utf16(units)
        .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}
