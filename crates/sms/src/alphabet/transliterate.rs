//! Typographic characters as plain ones, so that a dash from a phone keyboard does not turn one part into three.

/// Replaces what only *looks* different: quotes, dashes, odd spaces, dots; composes letters with loose accents;
/// drops invisible characters and controls GSM 7-bit has no place for. Letters of names stay as they are.
pub fn transliterate_typographic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match plain(c) {
            Some(replacement) => out.push_str(replacement),
            None => match out
                .chars()
                .next_back()
                .and_then(|letter| compose(letter, c))
            {
                Some(composed) => {
                    out.pop();
                    out.push(composed);
                }
                None => out.push(c),
            },
        }
    }
    out
}

fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}' | '\u{2032}' | '\u{2039}'
        | '\u{203A}' | '\u{00B4}' | '\u{02BC}' => "'",
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{201F}' | '\u{2033}' | '\u{00AB}'
        | '\u{00BB}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' => "-",
        '\u{2026}' => "...",
        '\u{2022}' => "*",
        '\u{2044}' => "/",
        '\t' | '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => " ",
        '\u{0085}' | '\u{2028}' | '\u{2029}' => "\n",
        '\u{00AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}' => "",
        '\n' | '\r' | '\u{0C}' => return None,
        '\u{00}'..='\u{1F}' | '\u{7F}'..='\u{9F}' => "",
        _ => return None,
    })
}

/// Canonical composition (Unicode Standard §3.11) for the accented letters GSM 7-bit has.
fn compose(letter: char, accent: char) -> Option<char> {
    const GRAVE: char = '\u{0300}';
    const ACUTE: char = '\u{0301}';
    const TILDE: char = '\u{0303}';
    const DIAERESIS: char = '\u{0308}';
    const RING: char = '\u{030A}';
    const CEDILLA: char = '\u{0327}';
    Some(match (letter, accent) {
        ('a', GRAVE) => 'à',
        ('e', GRAVE) => 'è',
        ('i', GRAVE) => 'ì',
        ('o', GRAVE) => 'ò',
        ('u', GRAVE) => 'ù',
        ('e', ACUTE) => 'é',
        ('E', ACUTE) => 'É',
        ('n', TILDE) => 'ñ',
        ('N', TILDE) => 'Ñ',
        ('a', DIAERESIS) => 'ä',
        ('A', DIAERESIS) => 'Ä',
        ('o', DIAERESIS) => 'ö',
        ('O', DIAERESIS) => 'Ö',
        ('u', DIAERESIS) => 'ü',
        ('U', DIAERESIS) => 'Ü',
        ('a', RING) => 'å',
        ('A', RING) => 'Å',
        ('C', CEDILLA) => 'Ç',
        _ => return None,
    })
}
