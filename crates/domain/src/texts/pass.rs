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
    let device = plain(device);
    match language {
        Language::En => format!(
            "{organisation}: {SECRET_MARK} is your code to sign in on \"{device}\". It is good for 5 minutes. If that is not \
             you, ignore this text and tell nobody the code."
        ),
        Language::Fi => format!(
            "{organisation}: {SECRET_MARK} on koodisi kirjautumiseen laitteella \"{device}\". Se on voimassa 5 minuuttia. Jos \
             et ole kirjautumassa, älä välitä tästä viestistä äläkä kerro koodia kenellekään."
        ),
        Language::Sv => format!(
            "{organisation}: {SECRET_MARK} är din kod för att logga in på \"{device}\". Den gäller i 5 minuter. Är det inte \
             du, bry dig inte om detta meddelande och berätta inte koden för någon."
        ),
    }
}

/// An invitation, with the mark for its code.
pub fn invitation(language: Language, organisation: &str, name: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let name = clip(&clean(name), NAME_UNITS_MAX);
    match language {
        Language::En => format!(
            "{organisation}: {name}, your code for the app is {SECRET_MARK}. It lets one device in, within 24 hours. Tell \
             nobody else."
        ),
        Language::Fi => format!(
            "{organisation}: {name}, koodisi sovellukseen on {SECRET_MARK}. Se kelpaa yhdelle laitteelle 24 tunnin ajan. Älä \
             kerro sitä muille."
        ),
        Language::Sv => format!(
            "{organisation}: {name}, din kod till appen är {SECRET_MARK}. Den släpper in en enhet, inom 24 timmar. Berätta den \
             inte för någon annan."
        ),
    }
}

/// Asks somebody from outside into the room of an alert, with the mark for the code. Whoever types it has this phone.
pub fn guest(language: Language, organisation: &str, name: &str, alert: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let (name, alert) = (clip(&clean(name), NAME_UNITS_MAX), clean(alert));
    match language {
        Language::En => format!(
            "{organisation}: {name}, you are asked into the room of alert {alert}. Your code for the app is {SECRET_MARK}. It \
             lets one device in. Tell nobody else."
        ),
        Language::Fi => format!(
            "{organisation}: {name}, sinut kutsutaan hälytyksen {alert} huoneeseen. Koodisi sovellukseen on {SECRET_MARK}. Se \
             kelpaa yhdelle laitteelle. Älä kerro sitä muille."
        ),
        Language::Sv => format!(
            "{organisation}: {name}, du bjuds in till rummet för larm {alert}. Din kod till appen är {SECRET_MARK}. Den släpper \
             in en enhet. Berätta den inte för någon annan."
        ),
    }
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
    let (asked_by, vouched_by) = (name(asked_by), name(vouched_by));
    let end = number.get(number.len().saturating_sub(2)..);
    let end = end.unwrap_or_default();
    match language {
        Language::En => format!(
            "{organisation}: your alerts now go to a number that ends in {end} instead of this one. {asked_by} asked for it, \
             {vouched_by} vouched. Not right? Call whoever is on duty at once."
        ),
        Language::Fi => format!(
            "{organisation}: hälytyksesi menevät nyt numeroon, jonka loppu on {end}, eikä tähän. Pyytäjä {asked_by}, vahvistaja \
             {vouched_by}. Onko väärin? Soita heti päivystäjälle."
        ),
        Language::Sv => format!(
            "{organisation}: dina larm går nu till ett nummer som slutar på {end} i stället för detta. {asked_by} bad om det, \
             {vouched_by} intygade. Stämmer det inte? Ring jourhavande genast."
        ),
    }
}

/// Tells those who answer for the system that somebody is in by a break-glass card. Whoever has the card named nothing in it.
pub fn glass_broken(language: Language, organisation: &str, site: &str, card: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let (site, card) = (clean(site), clean(card));
    match language {
        Language::En => format!(
            "{organisation}: the break-glass card of {site} (card {card}) was used just now. Somebody is in with an \
             administrator's rights for 2 hours. If nobody told you why, revoke the card and ask at {site}."
        ),
        Language::Fi => format!(
            "{organisation}: kohteen {site} hätäkortti (kortti {card}) käytettiin juuri. Jollakulla on ylläpitäjän oikeudet \
             kahden tunnin ajan. Jos et tiedä syytä, mitätöi kortti ja kysy kohteesta {site}."
        ),
        Language::Sv => format!(
            "{organisation}: nödkortet för {site} (kort {card}) användes just nu. Någon har en administratörs rättigheter i 2 \
             timmar. Om du inte vet varför, återkalla kortet och fråga i {site}."
        ),
    }
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
        let text = sign_in_code(Language::En, "Aurora", "Anna's phone");
        assert!(text.contains("sign in on \"Anna's phone\""), "{text}");
        let text = sign_in_code(
            Language::En,
            "Aurora",
            "x\u{2} https://evil.example call +358401234567",
        );
        for bad in ["https:", ".example", "+35", "3584", "\u{2} http"] {
            assert!(!text.contains(bad), "{text}");
        }
        assert_eq!(text.matches(SECRET_MARK).count(), 1, "{text}");
        for language in [Language::En, Language::Fi, Language::Sv] {
            let text = sign_in_code(language, "Aurora Energy", "Anna's phone");
            let measured = measure(&text.replace(SECRET_MARK, "12345678"));
            assert!(measured.gsm7 && measured.parts <= 2, "{measured:?}");
            let text = glass_broken(language, "Aurora Energy", "helsinki", "1a2b3c4d");
            let measured = measure(&text);
            assert!(measured.gsm7 && measured.parts <= 2, "{measured:?}");
            let text = invitation(language, "Aurora Energy", "Anna Virtanen");
            let measured = measure(&text.replace(SECRET_MARK, "K7Q2P-0M3XN-8WZTR-5DVCA-9H4EB"));
            assert!(measured.gsm7 && measured.parts <= 2, "{measured:?}");
        }
    }
}
