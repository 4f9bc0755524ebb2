//! Swedish.

use super::catalogue::{RoomWords, Words};
use crate::vocabulary::{Answer, Severity};

pub(super) struct Swedish;

impl Words for Swedish {
    fn exercise(&self) -> &'static str {
        "ÖVNING"
    }

    fn test(&self) -> &'static str {
        "TEST"
    }

    fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Low => "låg",
            Severity::Normal => "normal",
            Severity::High => "hög",
            Severity::Critical => "kritisk",
        }
    }

    fn answer(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Coming => "kommer",
            Answer::Cannot => "kan inte komma",
            Answer::Received => "har mottagit",
            Answer::NeedHelp => "behöver hjälp",
            Answer::Safe => "i säkerhet",
            Answer::NotOnSite => "inte på plats",
        }
    }

    fn arriving(&self, minutes: u16, time: &str) -> String {
        format!("kommer om {minutes} min ({time} UTC)")
    }

    fn alert(&self, number: &str, organisation: &str) -> String {
        format!("Larm {number} {organisation}")
    }

    fn gather(&self) -> &'static str {
        "Samling"
    }

    fn alternate(&self) -> &'static str {
        "reservplats"
    }

    fn bridge(&self) -> &'static str {
        "telefonmöte"
    }

    fn reply(&self) -> &'static str {
        "Svara"
    }

    fn hint(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Coming => "kommer",
            Answer::Cannot => "kan inte",
            Answer::Received => "mottaget",
            Answer::NeedHelp => "hjälp",
            Answer::Safe => "i säkerhet",
            Answer::NotOnSite => "ej på plats",
        }
    }

    fn how_to_check(&self) -> &'static str {
        "?=äkta?"
    }

    fn answer_by_sms(&self) -> &'static str {
        "Svara med sms till något av våra larmnummer:"
    }

    fn possible_repeat(&self) -> &'static str {
        "(möjlig upprepning)"
    }

    fn answer_to_this_number(&self) -> &'static str {
        "Svara till DETTA nummer."
    }

    fn alone(&self, site: &str) -> String {
        format!("({site} ensam)")
    }

    fn code_elsewhere(&self, site: &str, numbers: &str) -> String {
        let also = if numbers.is_empty() {
            String::new()
        } else {
            format!(" Skicka även till: {numbers}")
        };
        format!("Noterat. {site} är avskuren och de andra vet inte än.{also}")
    }

    fn backlog(&self, organisation: &str, count: u64, newest: &str, open: &str) -> String {
        let open = if open.is_empty() {
            "Inget är öppet längre.".to_owned()
        } else {
            format!("Öppna: {open}")
        };
        format!("{organisation}: under avbrottet {count} larm, senast {newest}. {open}")
    }

    fn no_answer_yet(&self) -> &'static str {
        "Du har inte svarat ännu."
    }

    fn still_coming(&self, time: &str) -> String {
        format!(
            "Du svarade att du kommer. Är du fortfarande på väg? Bekräfta senast {time} UTC, annars räknas du inte längre."
        )
    }

    fn needs_help(&self, alert: &str, name: &str, site: &str, by: Option<&str>) -> String {
        let at = match site {
            "" => String::new(),
            site => format!(" ({site})"),
        };
        match by {
            None => format!("{alert}: {name} BEHÖVER HJÄLP{at}."),
            Some(by) => format!("{alert}: {name} BEHÖVER HJÄLP{at}, enligt {by}."),
        }
    }

    fn time_is_over(&self, alert: &str, missing: u64, asked: u64) -> String {
        format!("{alert}: tiden är ute, {missing} av {asked} har inte svarat.")
    }

    fn all_accounted_for(&self, alert: &str, asked: u64) -> String {
        format!("{alert}: alla {asked} har svarat eller setts.")
    }

    fn called_off(&self) -> &'static str {
        "AVBLÅST."
    }

    fn stand_down(&self) -> &'static str {
        "Du behöver varken komma eller svara."
    }

    fn noted(&self, time: &str, name: &str, answer: &str, alert: &str) -> String {
        format!("Noterat {time} UTC, {name}: {answer}. {alert}.")
    }

    fn recorded_late(&self, time: &str, name: &str, answer: &str) -> String {
        format!("Noterat för sent {time} UTC, {name}: {answer}. Larmet öppnas inte igen.")
    }

    fn first_answer(&self, time: &str) -> String {
        format!("Första svaret {time} UTC.")
    }

    fn was_resolved(&self, alert: &str, time: &str) -> String {
        format!("{alert} avslutades {time} UTC.")
    }

    fn was_called_off(&self, alert: &str, time: &str) -> String {
        format!("{alert} blåstes av {time} UTC.")
    }

    fn was_joined(&self, alert: &str, into: &str, time: &str) -> String {
        format!("{alert} slogs ihop med larm {into} {time} UTC.")
    }

    fn ask_back(&self, alert: &str, send: &str, answer: &str) -> String {
        format!("Räknas inte än. {alert} är kritiskt och kräver din kod. Skicka {send} ({answer})")
    }

    fn several_open(&self) -> &'static str {
        "Flera larm är öppna. Skicka ett av:"
    }

    fn unknown_code(&self, code: &str) -> String {
        format!("Koden {code} är okänd eller för gammal. Skicka ett av:")
    }

    fn open_code(&self, send: &str, number: &str) -> String {
        format!("{send} (larm {number})")
    }

    fn not_counted(&self, alert: &str) -> String {
        format!(
            "För många fel koder kom från detta nummer. Ditt svar visas men räknas inte. {alert}."
        )
    }

    fn told(&self, organisation: &str) -> String {
        format!("{organisation} skickade till detta nummer:")
    }

    fn told_line(&self, time: &str, number: Option<&str>, text: &str) -> String {
        match number {
            Some(number) => format!("{time} UTC larm {number}: {text}"),
            None => format!("{time} UTC: {text}"),
        }
    }

    fn told_nothing(&self, organisation: &str, hours: u64) -> String {
        format!(
            "{organisation}: Vi har inte skickat dig något på {hours} timmar. Ett sms i vårt namn var inte från oss."
        )
    }

    fn duty_inbox(&self, organisation: &str) -> String {
        format!(
            "{organisation}: ditt meddelande är sparat åt jouren. Det är inget svar på ett larm. Vid fara ring 112."
        )
    }

    fn wake(&self, alert: &str, name: &str) -> String {
        format!("Väck {name} NU. {alert} behöver personen, som har ett sms från oss.")
    }

    fn wake_question(&self, organisation: &str, code: &str) -> String {
        format!(
            "TEST {organisation}: din telefon ringer nu två gånger. Väckte den dig? Svara {code} 1=ja {code} 2=nej"
        )
    }

    fn wake_noted(&self, organisation: &str, woke: bool) -> String {
        if woke {
            format!("Noterat. {organisation} kan väcka dig med denna telefon.")
        } else {
            format!(
                "Noterat. Spara alla nummer från {organisation} som en kontakt som får ringa genom tystnad; vi frågar igen."
            )
        }
    }

    fn no_calls(&self, organisation: &str) -> String {
        format!("{organisation}: numret tar inte emot samtal, och ett samtal är inget svar.")
    }

    fn shown_in_room(&self, alert: &str) -> String {
        format!(
            "{alert}: ditt meddelande visas för dem som sköter larmet. Det räknas inte som svar."
        )
    }
}

impl RoomWords for Swedish {
    fn tag(&self) -> &'static str {
        "sv"
    }

    fn left_out(&self, count: u64) -> String {
        format!("(+{count} tidigare utelämnade)")
    }

    fn in_the_app(&self, count: u64) -> String {
        format!("({count} kan läsas bara i appen)")
    }

    fn no_more_for_now(&self) -> &'static str {
        "(Gränsen för sms är nådd: resten kommer senare.)"
    }

    fn to_write(&self) -> &'static str {
        "Skriv:"
    }

    fn reply_to_digest(&self) -> &'static str {
        "Svara på detta mejl för att skriva i rummet. Det som står under det citerade läses inte."
    }

    fn offer_room(&self) -> &'static str {
        "Det som sägs om det, som sms:"
    }

    fn follows(&self, room: &str, write: &str, stop: &str) -> String {
        format!(
            "Det som sägs i {room} kommer till dig som sms, samlat; genast om du nämns. Skriv: {write} Sluta: {stop}"
        )
    }

    fn follows_no_more(&self, room: &str) -> String {
        format!("Det som sägs i {room} kommer inte längre till dig som sms.")
    }

    fn which_room(&self, rooms: &str, example: &str) -> String {
        format!("Inget gjort: säg vilket rum: {rooms}. Skicka till exempel {example}")
    }

    fn no_room(&self) -> &'static str {
        "Inget gjort: det finns inget sådant rum som du är i. Be den som leder att lägga till dig."
    }
}
