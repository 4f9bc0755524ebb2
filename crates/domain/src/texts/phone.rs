//! What people do with their phones so that we may wake them, for each phone system (CHANNELS §6.2, PRODUCT L-29).

use super::Language;
use crate::waking::Phone;

/// The note on the card itself. `version` tells an old card from a new one.
pub fn card_note(language: Language, version: u64) -> String {
    language.say("phone.card", &[("version", &version.to_string())])
}

/// Steps for a phone system, in order.
pub fn instructions(language: Language, phone: Phone) -> [&'static str; 5] {
    let steps = match phone {
        Phone::Iphone => [
            "phone.iphone.1",
            "phone.iphone.2",
            "phone.iphone.3",
            "phone.iphone.4",
            "phone.iphone.5",
        ],
        Phone::Android => [
            "phone.android.1",
            "phone.android.2",
            "phone.android.3",
            "phone.android.4",
            "phone.android.5",
        ],
    };
    steps.map(|step| language.word(step))
}
