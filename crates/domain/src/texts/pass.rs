//! What is said to those who are let in by text. No text of ours holds a link or asks for a code (SECURITY T-11).

use super::clean::{clean, clip};
use super::page::ORGANISATION_UNITS_MAX;
use super::{Language, SECRET_MARK};

const DEVICE_UNITS_MAX: usize = 24;
const NAME_UNITS_MAX: usize = 30;

/// The code that ends a sign-in on a device, with the mark for it. Whoever has the password named the device, so that only
/// letters and digits are taken over: nothing that could be called or opened.
pub fn sign_in_code(language: Language, organisation: &str, device: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let values = [
        ("organisation", &*organisation),
        ("code", &SECRET_MARK.to_string()),
        ("device", &plain(device)),
    ];
    language.say("pass.sign_in", &values)
}

/// An invitation, with the mark for its code.
pub fn invitation(language: Language, organisation: &str, name: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let values = [
        ("organisation", &*organisation),
        ("name", &clip(&clean(name), NAME_UNITS_MAX)),
        ("code", &SECRET_MARK.to_string()),
    ];
    language.say("pass.invitation", &values)
}

/// Asks somebody from outside into the room of an alert, with the mark for the code. Whoever types it has this phone.
pub fn guest(language: Language, organisation: &str, name: &str, alert: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let values = [
        ("organisation", &*organisation),
        ("name", &clip(&clean(name), NAME_UNITS_MAX)),
        ("number", &clean(alert)),
        ("code", &SECRET_MARK.to_string()),
    ];
    language.say("pass.guest", &values)
}

/// Tells a number that it is not used any more, by whom that was asked and who vouched for it.
pub fn number_changed(
    language: Language,
    organisation: &str,
    number: &str,
    (asked_by, vouched_by): (&str, &str),
) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let name = |name: &str| clip(&clean(name), NAME_UNITS_MAX);
    let end = number.get(number.len().saturating_sub(2)..);
    let values = [
        ("organisation", &*organisation),
        ("end", end.unwrap_or_default()),
        ("asked_by", &name(asked_by)),
        ("vouched_by", &name(vouched_by)),
    ];
    language.say("pass.number_changed", &values)
}

/// Tells those who answer for the system that somebody is in by a break-glass card. Whoever has the card named nothing in it.
pub fn glass_broken(language: Language, organisation: &str, site: &str, card: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let values = [
        ("organisation", &*organisation),
        ("site", &clean(site)),
        ("card", &clean(card)),
    ];
    language.say("pass.glass_broken", &values)
}

/// A device's name as far as it is letters, single spaces and at most two digits together: no number, no address.
fn plain(device: &str) -> String {
    let mut digits = 0;
    let kept: String = clean(device)
        .chars()
        .filter_map(|c| {
            digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
            match c.is_alphanumeric() || matches!(c, ' ' | '\'' | '-') {
                true if digits > 2 => None,
                true => Some(c),
                false => Some(' '),
            }
        })
        .collect();
    clip(&clean(&kept), DEVICE_UNITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::measure;

    #[test]
    fn a_code_says_where_it_is_for_and_carries_nothing_to_open_or_call() {
        let text = sign_in_code(Language::english(), "Aurora", "Anna's phone");
        assert!(text.contains("sign in on \"Anna's phone\""), "{text}");
        let text = sign_in_code(
            Language::english(),
            "Aurora",
            "x\u{2} https://evil.example call +358401234567",
        );
        for bad in ["https:", ".example", "+35", "3584", "\u{2} http"] {
            assert!(!text.contains(bad), "{text}");
        }
        assert_eq!(text.matches(SECRET_MARK).count(), 1, "{text}");
        for &language in Language::all() {
            let short = language.tag() != "ja";
            let most = if short { 2 } else { 3 };
            let text = sign_in_code(language, "Aurora Energy", "Anna's phone");
            let measured = measure(&text.replace(SECRET_MARK, "12345678"));
            assert!(measured.gsm7 == short && measured.parts <= most, "{text}");
            let text = glass_broken(language, "Aurora Energy", "helsinki", "1a2b3c4d");
            let measured = measure(&text);
            assert!(measured.gsm7 == short && measured.parts <= most, "{text}");
            let text = invitation(language, "Aurora Energy", "Anna Virtanen");
            let measured = measure(&text.replace(SECRET_MARK, "K7Q2P-0M3XN-8WZTR-5DVCA-9H4EB"));
            assert!(measured.gsm7 == short && measured.parts <= most, "{text}");
        }
    }
}
