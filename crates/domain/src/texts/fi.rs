//! Finnish.

use super::catalogue::{RoomWords, Words};
use crate::vocabulary::{Answer, Severity};

pub(super) struct Finnish;

impl Words for Finnish {
    fn exercise(&self) -> &'static str {
        "HARJOITUS"
    }

    fn test(&self) -> &'static str {
        "TESTI"
    }

    fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Low => "matala",
            Severity::Normal => "tavallinen",
            Severity::High => "korkea",
            Severity::Critical => "kriittinen",
        }
    }

    fn answer(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Coming => "tulossa",
            Answer::Cannot => "ei pääse",
            Answer::Received => "saanut tiedon",
            Answer::NeedHelp => "tarvitsee apua",
            Answer::Safe => "turvassa",
            Answer::NotOnSite => "ei paikalla",
        }
    }

    fn arriving(&self, minutes: u16, time: &str) -> String {
        format!("tulossa, {minutes} min ({time} UTC)")
    }

    fn alert(&self, number: &str, organisation: &str) -> String {
        format!("Hälytys {number} {organisation}")
    }

    fn gather(&self) -> &'static str {
        "Kokoontuminen"
    }

    fn alternate(&self) -> &'static str {
        "varapaikka"
    }

    fn bridge(&self) -> &'static str {
        "puhelinkokous"
    }

    fn reply(&self) -> &'static str {
        "Vastaa"
    }

    fn hint(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Coming => "tulossa",
            Answer::Cannot => "en pääse",
            Answer::Received => "saatu",
            Answer::NeedHelp => "apua",
            Answer::Safe => "turvassa",
            Answer::NotOnSite => "en paikalla",
        }
    }

    fn how_to_check(&self) -> &'static str {
        "?=aito?"
    }

    fn answer_by_sms(&self) -> &'static str {
        "Vastaa tekstiviestillä mihin tahansa hälytysnumeroomme:"
    }

    fn possible_repeat(&self) -> &'static str {
        "(mahdollinen toisto)"
    }

    fn answer_to_this_number(&self) -> &'static str {
        "Vastaa TÄHÄN numeroon."
    }

    fn alone(&self, site: &str) -> String {
        format!("({site} yksin)")
    }

    fn code_elsewhere(&self, site: &str, numbers: &str) -> String {
        let also = if numbers.is_empty() {
            String::new()
        } else {
            format!(" Lähetä sama myös: {numbers}")
        };
        format!("Kirjattu. {site} on poissa yhteydestä, eivätkä muut tiedä vielä.{also}")
    }

    fn backlog(&self, organisation: &str, count: u64, newest: &str, open: &str) -> String {
        let open = if open.is_empty() {
            "Mikään ei ole enää auki.".to_owned()
        } else {
            format!("Auki: {open}")
        };
        let alerts = if count == 1 {
            "hälytys"
        } else {
            "hälytystä"
        };
        format!("{organisation}: yhteyskatkon aikana {count} {alerts}, uusin {newest}. {open}")
    }

    fn no_answer_yet(&self) -> &'static str {
        "Et ole vielä vastannut."
    }

    fn still_coming(&self, time: &str) -> String {
        format!(
            "Ilmoitit olevasi tulossa. Oletko yhä matkalla? Vahvista viimeistään {time} UTC, muuten sinua ei enää lasketa."
        )
    }

    fn needs_help(&self, alert: &str, name: &str, site: &str, by: Option<&str>) -> String {
        let at = match site {
            "" => String::new(),
            site => format!(" ({site})"),
        };
        match by {
            None => format!("{alert}: {name} TARVITSEE APUA{at}."),
            Some(by) => format!("{alert}: {name} TARVITSEE APUA{at}, ilmoitti {by}."),
        }
    }

    fn time_is_over(&self, alert: &str, missing: u64, asked: u64) -> String {
        format!("{alert}: aika on ohi, {missing}/{asked} ei ole vastannut.")
    }

    fn all_accounted_for(&self, alert: &str, asked: u64) -> String {
        format!("{alert}: kaikki {asked} ovat vastanneet tai heidät on nähty.")
    }

    fn called_off(&self) -> &'static str {
        "PERUTTU."
    }

    fn stand_down(&self) -> &'static str {
        "Ei tarvitse tulla eikä vastata."
    }

    fn noted(&self, time: &str, name: &str, answer: &str, alert: &str) -> String {
        format!("Kirjattu {time} UTC, {name}: {answer}. {alert}.")
    }

    fn recorded_late(&self, time: &str, name: &str, answer: &str) -> String {
        format!("Kirjattu myöhässä {time} UTC, {name}: {answer}. Hälytys ei avaudu uudelleen.")
    }

    fn first_answer(&self, time: &str) -> String {
        format!("Ensimmäinen vastaus {time} UTC.")
    }

    fn was_resolved(&self, alert: &str, time: &str) -> String {
        format!("{alert} päättyi {time} UTC.")
    }

    fn was_called_off(&self, alert: &str, time: &str) -> String {
        format!("{alert} peruttiin {time} UTC.")
    }

    fn was_joined(&self, alert: &str, into: &str, time: &str) -> String {
        format!("{alert} liitettiin hälytykseen {into} {time} UTC.")
    }

    fn ask_back(&self, alert: &str, send: &str, answer: &str) -> String {
        format!(
            "Ei vielä laskettu. {alert} on kriittinen ja vaatii koodisi. Lähetä {send} ({answer})"
        )
    }

    fn several_open(&self) -> &'static str {
        "Useita hälytyksiä on auki. Lähetä jokin näistä:"
    }

    fn unknown_code(&self, code: &str) -> String {
        format!("Koodia {code} ei tunneta tai se on vanhentunut. Lähetä jokin näistä:")
    }

    fn open_code(&self, send: &str, number: &str) -> String {
        format!("{send} (hälytys {number})")
    }

    fn not_counted(&self, alert: &str) -> String {
        format!(
            "Tästä numerosta tuli liian monta väärää koodia. Vastauksesi näytetään, mutta sitä ei lasketa. {alert}."
        )
    }

    fn told(&self, organisation: &str) -> String {
        format!("{organisation} lähetti tähän numeroon:")
    }

    fn told_line(&self, time: &str, number: Option<&str>, text: &str) -> String {
        match number {
            Some(number) => format!("{time} UTC hälytys {number}: {text}"),
            None => format!("{time} UTC: {text}"),
        }
    }

    fn told_nothing(&self, organisation: &str, hours: u64) -> String {
        format!(
            "{organisation}: Emme ole lähettäneet sinulle mitään {hours} tuntiin. Nimissämme tullut viesti ei ollut meiltä."
        )
    }

    fn duty_inbox(&self, organisation: &str) -> String {
        format!(
            "{organisation}: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112."
        )
    }

    fn wake(&self, alert: &str, name: &str) -> String {
        format!("Herätä {name} HETI. {alert} tarvitsee häntä; hänellä on meiltä viesti.")
    }

    fn wake_question(&self, organisation: &str, code: &str) -> String {
        format!(
            "TESTI {organisation}: puhelimesi soi nyt kahdesti. Heräsitkö? Vastaa {code} 1=kyllä {code} 2=ei"
        )
    }

    fn wake_noted(&self, organisation: &str, woke: bool) -> String {
        if woke {
            format!("Kirjattu. {organisation} saa sinut hereille tällä puhelimella.")
        } else {
            format!(
                "Kirjattu. Tallenna kaikki {organisation} numerot yhdeksi yhteystiedoksi, joka saa soida äänettömälläkin; kysymme uudelleen."
            )
        }
    }

    fn no_calls(&self, organisation: &str) -> String {
        format!("{organisation}: tähän numeroon ei voi soittaa, eikä soitto ole vastaus.")
    }

    fn shown_in_room(&self, alert: &str) -> String {
        format!("{alert}: viestisi näkyy asiaa hoitaville. Sitä ei laskettu vastaukseksi.")
    }
}

impl RoomWords for Finnish {
    fn tag(&self) -> &'static str {
        "fi"
    }

    fn left_out(&self, count: u64) -> String {
        format!("(+{count} aiempaa jätetty pois)")
    }

    fn in_the_app(&self, count: u64) -> String {
        format!("({count} luettavissa vain sovelluksessa)")
    }

    fn no_more_for_now(&self) -> &'static str {
        "(Viestien raja tuli täyteen: loput tulevat myöhemmin.)"
    }

    fn to_write(&self) -> &'static str {
        "Kirjoita:"
    }

    fn reply_to_digest(&self) -> &'static str {
        "Kirjoita huoneeseen vastaamalla tähän viestiin. Lainatun viestin alla olevaa ei lueta."
    }

    fn offer_room(&self) -> &'static str {
        "Keskustelu tekstiviestinä:"
    }

    fn follows(&self, room: &str, write: &str, stop: &str) -> String {
        format!(
            "Huoneen {room} viestit tulevat sinulle tekstiviestinä koottuina, heti jos sinut mainitaan. Kirjoita: {write} Lopeta: {stop}"
        )
    }

    fn follows_no_more(&self, room: &str) -> String {
        format!("Huoneen {room} viestit eivät enää tule sinulle tekstiviestinä.")
    }

    fn which_room(&self, rooms: &str, example: &str) -> String {
        format!("Ei tehty: kerro mikä huone: {rooms}. Lähetä esimerkiksi {example}")
    }

    fn no_room(&self) -> &'static str {
        "Ei tehty: sellaista huonetta, jossa olet, ei ole. Pyydä johtajaa lisäämään sinut."
    }
}
