//! What people do with their phones so that we may wake them, for each phone system (CHANNELS §6.2, PRODUCT L-29).

use super::Language;
use crate::waking::Phone;

/// The note on the card itself. `version` tells an old card from a new one.
pub fn card_note(language: Language, version: u64) -> String {
    match language {
        Language::En => format!("Card {version}. Let this contact ring through silent mode."),
        Language::Fi => {
            format!("Kortti {version}. Salli tämän yhteystiedon soida äänettömälläkin.")
        }
        Language::Sv => format!("Kort {version}. Låt kontakten ringa även i tyst läge."),
    }
}

/// Steps for a phone system, in order.
pub fn instructions(language: Language, phone: Phone) -> &'static [&'static str] {
    match (language, phone) {
        (Language::En, Phone::Iphone) => &[
            "Open the card and save it as one new contact with all its numbers.",
            "Open the contact, Edit, Ringtone: switch on Emergency Bypass. Do the same under Text Tone.",
            "Settings, Focus, Do Not Disturb, People: allow calls from this contact and switch on Allow Repeated Calls. Do the same for Sleep and every other focus you use.",
            "Settings, Sounds: set a loud ringtone for this contact. Keep the phone charged and in reach at night.",
            "Answer the test that follows. When we send a new card, replace the old one.",
        ],
        (Language::En, Phone::Android) => &[
            "Open the card and save it as one new contact with all its numbers.",
            "Open the contact and mark it with the star, so that it is a favourite.",
            "Settings, Notifications, Do not disturb, People: allow calls and messages from starred contacts, and allow repeat callers.",
            "Do the same in Bedtime mode and in the maker's own modes (Samsung: Modes and Routines).",
            "Set the ring volume high. Answer the test that follows. When we send a new card, replace the old one.",
        ],
        (Language::Fi, Phone::Iphone) => &[
            "Avaa kortti ja tallenna se yhdeksi uudeksi yhteystiedoksi kaikkine numeroineen.",
            "Avaa yhteystieto, Muokkaa, Soittoääni: kytke Hätäohitus päälle. Tee sama kohdassa Tekstiviestiääni.",
            "Asetukset, Keskittymistila, Älä häiritse, Ihmiset: salli puhelut tältä yhteystiedolta ja kytke päälle Salli toistuvat puhelut. Tee sama Unelle ja muille tiloillesi.",
            "Asetukset, Äänet: anna yhteystiedolle kova soittoääni. Pidä puhelin yöllä ladattuna ja lähellä.",
            "Vastaa testiin, joka seuraa. Kun lähetämme uuden kortin, korvaa vanha sillä.",
        ],
        (Language::Fi, Phone::Android) => &[
            "Avaa kortti ja tallenna se yhdeksi uudeksi yhteystiedoksi kaikkine numeroineen.",
            "Avaa yhteystieto ja merkitse se tähdellä suosikiksi.",
            "Asetukset, Ilmoitukset, Älä häiritse, Ihmiset: salli puhelut ja viestit tähdellä merkityiltä ja salli toistuvat soittajat.",
            "Tee sama nukkumaanmenotilassa ja valmistajan omissa tiloissa (Samsung: Tilat ja rutiinit).",
            "Säädä soittoääni kovalle. Vastaa testiin, joka seuraa. Kun lähetämme uuden kortin, korvaa vanha sillä.",
        ],
        (Language::Sv, Phone::Iphone) => &[
            "Öppna kortet och spara det som en ny kontakt med alla nummer.",
            "Öppna kontakten, Ändra, Ringsignal: slå på Kringgå vid nödsituation. Gör samma sak under SMS-ton.",
            "Inställningar, Fokus, Stör ej, Personer: tillåt samtal från kontakten och slå på Tillåt upprepade samtal. Gör samma sak för Sömn och andra fokus du använder.",
            "Inställningar, Ljud: välj en hög ringsignal för kontakten. Ha telefonen laddad och nära på natten.",
            "Svara på testet som följer. När vi skickar ett nytt kort, byt ut det gamla.",
        ],
        (Language::Sv, Phone::Android) => &[
            "Öppna kortet och spara det som en ny kontakt med alla nummer.",
            "Öppna kontakten och markera den med stjärnan, så att den är en favorit.",
            "Inställningar, Aviseringar, Stör ej, Personer: tillåt samtal och meddelanden från stjärnmärkta kontakter och tillåt upprepade samtal.",
            "Gör samma sak i läggdagsläget och i tillverkarens egna lägen (Samsung: Lägen och rutiner).",
            "Ställ ringvolymen högt. Svara på testet som följer. När vi skickar ett nytt kort, byt ut det gamla.",
        ],
    }
}
