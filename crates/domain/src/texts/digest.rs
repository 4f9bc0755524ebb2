//! What was said in a room, for those who follow it by text or mail.
//!
//! By language tag rather than by [`Language`]: these words are there in French and Japanese as well. The orders in them
//! are in a language that orders are understood in.

use super::clean::{clean, clip};
use super::page::ORGANISATION_UNITS_MAX;
use super::{Language, Verb};

/// SMS parts of one digest, unless its frame alone takes more.
const PARTS_MAX: u16 = 3;

/// How much of one message an SMS shows, tried in this order until all of it fits.
const LINE_UNITS: [usize; 3] = [160, 80, 40];

/// How much of one message a mail shows.
const MAIL_LINE_UNITS_MAX: usize = 2_000;

/// Messages that a mail shows.
const MAIL_LINES_MAX: usize = 50;

/// How much of a room's name is shown.
const ROOM_UNITS_MAX: usize = 30;

/// What was said since the last digest.
#[derive(Clone, Copy, Debug)]
pub struct Digest<'a> {
    pub organisation: &'a str,
    /// The number of the alert, or the key of the room.
    pub room: &'a str,
    /// Oldest first.
    pub lines: &'a [DigestLine],
    /// Messages before those, which are only counted.
    pub earlier: u64,
    /// Messages whose words stay in the app.
    pub restricted: u64,
    /// The budget is used up with this one.
    pub last: bool,
}

/// One message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DigestLine {
    pub author: String,
    pub text: String,
    /// It calls whoever reads it: it is left out last.
    pub calls: bool,
}

/// A digest in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Worded {
    /// Of a mail; empty for a text.
    pub subject: String,
    pub body: String,
    /// Messages whose words are in it; the others are counted in it.
    pub shown: u64,
}

/// A digest as a text: all of it, shortened, or the newest messages that fit and how many do not. Oldest first.
pub fn digest(tag: &str, digest: &Digest<'_>) -> Worded {
    let mut kept: Vec<&DigestLine> = digest.lines.iter().collect();
    loop {
        let shortest = LINE_UNITS[LINE_UNITS.len() - 1];
        for units in LINE_UNITS {
            let body = whole(tag, digest, &kept, units);
            if super::parts(&body) <= PARTS_MAX || (kept.is_empty() && units == shortest) {
                return Worded {
                    subject: String::new(),
                    body,
                    shown: kept.len() as u64,
                };
            }
        }
        let oldest = kept.iter().position(|line| !line.calls).unwrap_or(0);
        kept.remove(oldest);
    }
}

/// A digest as a mail.
pub fn digest_mail(tag: &str, digest: &Digest<'_>) -> Worded {
    let skipped = digest.lines.len().saturating_sub(MAIL_LINES_MAX);
    let kept: Vec<&DigestLine> = digest.lines.iter().skip(skipped).collect();
    let body = whole(tag, digest, &kept, MAIL_LINE_UNITS_MAX);
    Worded {
        subject: head(digest),
        body: format!("{body}\n"),
        shown: kept.len() as u64,
    }
}

/// The language a digest is worded in for somebody of this one.
pub fn digest_tag(tag: &str) -> &'static str {
    words(tag).tag
}

/// What a digest's mail says about answering it.
pub fn reply_to_digest(tag: &str) -> &'static str {
    words(tag).reply
}

/// Offers somebody who is coming what is said in the room of their alert.
pub fn offer_room(tag: &str, room: &str) -> String {
    let follow = Verb::Follow.word(Language::parse(tag));
    format!("{} {follow} {}", words(tag).offer, name(room))
}

/// What whoever follows a room from now on is told.
pub fn follows(tag: &str, room: &str) -> String {
    let (room, language) = (name(room), Language::parse(tag));
    let (write, stop) = (Verb::Room.word(language), Verb::Unfollow.word(language));
    (words(tag).follows)(
        &room,
        &format!("{write} {room} ..."),
        &format!("{stop} {room}"),
    )
}

/// What whoever follows a room no more is told.
pub fn follows_no_more(tag: &str, room: &str) -> String {
    (words(tag).follows_no_more)(&name(room))
}

/// Words or an order could be meant for several rooms, or for none: which there are, and what to text.
pub fn which_room(tag: &str, verb: Verb, rooms: &[String]) -> String {
    let verb = verb.word(Language::parse(tag));
    let rooms: Vec<String> = rooms.iter().map(|room| name(room)).collect();
    match rooms.first() {
        Some(first) => (words(tag).which_room)(&rooms.join(", "), &format!("{verb} {first}")),
        None => words(tag).no_room.to_owned(),
    }
}

fn name(room: &str) -> String {
    clip(&clean(room), ROOM_UNITS_MAX)
}

fn head(digest: &Digest<'_>) -> String {
    let organisation = clip(&clean(digest.organisation), ORGANISATION_UNITS_MAX);
    format!("{organisation} {}", name(digest.room))
}

fn whole(tag: &str, digest: &Digest<'_>, kept: &[&DigestLine], units: usize) -> String {
    let words = words(tag);
    let left_out = digest.earlier + (digest.lines.len() - kept.len()) as u64;
    let mut said = vec![format!("{}:", head(digest))];
    if left_out > 0 {
        said.push((words.left_out)(left_out));
    }
    let line = |line: &&DigestLine| {
        let text = format!("{}: {}", clean(&line.author), clean(&line.text));
        clip(&text, units)
    };
    said.extend(kept.iter().map(line));
    if digest.restricted > 0 {
        said.push((words.in_the_app)(digest.restricted));
    }
    if digest.last {
        said.push(words.last.to_owned());
    }
    let write = Verb::Room.word(Language::parse(tag));
    said.push(format!("{} {write} {} ...", words.write, name(digest.room)));
    said.join("\n")
}

/// One language's words.
struct Words {
    tag: &'static str,
    left_out: fn(u64) -> String,
    in_the_app: fn(u64) -> String,
    last: &'static str,
    /// Before what to text.
    write: &'static str,
    reply: &'static str,
    /// Before what to text.
    offer: &'static str,
    /// The room, how to write there, how to stop.
    follows: fn(&str, &str, &str) -> String,
    follows_no_more: fn(&str) -> String,
    /// The rooms, and an example of what to text.
    which_room: fn(&str, &str) -> String,
    no_room: &'static str,
}

fn words(tag: &str) -> &'static Words {
    let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
    match primary.to_ascii_lowercase().as_str() {
        "fi" => &FI,
        "sv" => &SV,
        "fr" => &FR,
        "ja" => &JA,
        _ => &EN,
    }
}

const EN: Words = Words {
    tag: "en",
    left_out: |count| format!("(+{count} earlier, left out)"),
    in_the_app: |count| format!("({count} to be read in the app only)"),
    last: "(Limit of texts reached: what follows comes later.)",
    write: "To write:",
    reply: "Reply to this mail to write to the room. What stands below the quoted mail is not read.",
    offer: "What is said about it, by text:",
    follows: |room, write, stop| {
        format!(
            "What is said in {room} comes to you by text, gathered; at once if you are called by name. To write: {write} To stop: {stop}"
        )
    },
    follows_no_more: |room| format!("What is said in {room} comes to you by text no more."),
    which_room: |rooms, example| {
        format!("Nothing done: say which room: {rooms}. Text for example {example}")
    },
    no_room: "Nothing done: there is no such room that you are in. Ask whoever leads to add you.",
};

const FI: Words = Words {
    tag: "fi",
    left_out: |count| format!("(+{count} aiempaa jätetty pois)"),
    in_the_app: |count| format!("({count} luettavissa vain sovelluksessa)"),
    last: "(Viestien raja tuli täyteen: loput tulevat myöhemmin.)",
    write: "Kirjoita:",
    reply: "Kirjoita huoneeseen vastaamalla tähän viestiin. Lainatun viestin alla olevaa ei lueta.",
    offer: "Keskustelu tekstiviestinä:",
    follows: |room, write, stop| {
        format!(
            "Huoneen {room} viestit tulevat sinulle tekstiviestinä koottuina, heti jos sinut mainitaan. Kirjoita: {write} Lopeta: {stop}"
        )
    },
    follows_no_more: |room| {
        format!("Huoneen {room} viestit eivät enää tule sinulle tekstiviestinä.")
    },
    which_room: |rooms, example| {
        format!("Ei tehty: kerro mikä huone: {rooms}. Lähetä esimerkiksi {example}")
    },
    no_room: "Ei tehty: sellaista huonetta, jossa olet, ei ole. Pyydä johtajaa lisäämään sinut.",
};

const SV: Words = Words {
    tag: "sv",
    left_out: |count| format!("(+{count} tidigare utelämnade)"),
    in_the_app: |count| format!("({count} kan läsas bara i appen)"),
    last: "(Gränsen för sms är nådd: resten kommer senare.)",
    write: "Skriv:",
    reply: "Svara på detta mejl för att skriva i rummet. Det som står under det citerade läses inte.",
    offer: "Det som sägs om det, som sms:",
    follows: |room, write, stop| {
        format!(
            "Det som sägs i {room} kommer till dig som sms, samlat; genast om du nämns. Skriv: {write} Sluta: {stop}"
        )
    },
    follows_no_more: |room| format!("Det som sägs i {room} kommer inte längre till dig som sms."),
    which_room: |rooms, example| {
        format!("Inget gjort: säg vilket rum: {rooms}. Skicka till exempel {example}")
    },
    no_room: "Inget gjort: det finns inget sådant rum som du är i. Be den som leder att lägga till dig.",
};

const FR: Words = Words {
    tag: "fr",
    left_out: |count| format!("(+{count} plus anciens, omis)"),
    in_the_app: |count| format!("({count} à lire seulement dans l'appli)"),
    last: "(Limite de SMS atteinte: la suite viendra plus tard.)",
    write: "Pour écrire:",
    reply: "Répondez à ce message pour écrire dans le salon. Ce qui suit le texte cité n'est pas lu.",
    offer: "Ce qui se dit, par SMS:",
    follows: |room, write, stop| {
        format!(
            "Ce qui se dit dans {room} vous arrive par SMS, groupé; immédiatement si l'on vous nomme. Pour écrire: {write} Pour cesser: {stop}"
        )
    },
    follows_no_more: |room| format!("Ce qui se dit dans {room} ne vous arrive plus par SMS."),
    which_room: |rooms, example| {
        format!("Rien n'est fait: dites quel salon: {rooms}. Envoyez par exemple {example}")
    },
    no_room: "Rien n'est fait: vous n'avez pas de tel salon. Demandez au responsable de vous y ajouter.",
};

const JA: Words = Words {
    tag: "ja",
    left_out: |count| format!("(以前の{count}件を省略)"),
    in_the_app: |count| format!("({count}件はアプリでのみ閲覧可)"),
    last: "(送信数の上限に達しました。続きは後で届きます。)",
    write: "書くには:",
    reply: "このメールに返信するとルームに書き込めます。引用より下の部分は読まれません。",
    offer: "発言をSMSで受け取るには:",
    follows: |room, write, stop| {
        format!(
            "{room}の発言をまとめてSMSで送ります。名指しの発言はすぐ届きます。書くには: {write} やめるには: {stop}"
        )
    },
    follows_no_more: |room| format!("{room}の発言のSMS送信を終了しました。"),
    which_room: |rooms, example| {
        format!("未実行: どのルームか指定してください: {rooms} 例: {example}")
    },
    no_room: "未実行: 参加中の該当するルームがありません。責任者に追加を依頼してください。",
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::texts::parts;

    fn line(text: &str) -> DigestLine {
        let (author, text) = text.split_once(": ").unwrap();
        DigestLine {
            author: author.to_owned(),
            text: text.to_owned(),
            calls: text.contains('@'),
        }
    }

    fn of(lines: &[DigestLine]) -> Digest<'_> {
        Digest {
            organisation: "Aurora Energy",
            room: "118",
            lines,
            earlier: 0,
            restricted: 0,
            last: false,
        }
    }

    #[test]
    fn a_digest_is_read_from_the_oldest_and_says_what_it_leaves_out() {
        let few = [line("Anna: gate 5"), line("Bela: ok")];
        let found = digest("en", &of(&few));
        assert_eq!(
            (found.body.as_str(), found.shown),
            (
                "Aurora Energy 118:\nAnna: gate 5\nBela: ok\nTo write: ROOM 118 ...",
                2
            )
        );
        let mut many: Vec<DigestLine> = (0..40)
            .map(|n| line(&format!("Anna: message {n} of a long evening")))
            .collect();
        many[1].calls = true;
        let found = digest("sv", &of(&many));
        assert!(parts(&found.body) <= PARTS_MAX, "{}", found.body);
        let left_out = format!("(+{} tidigare utelämnade)", 40 - found.shown);
        assert!(found.body.contains(&left_out), "{}", found.body);
        for kept in ["message 1 of", "message 39 of"] {
            assert!(found.body.contains(kept), "{}", found.body);
        }
        assert!(!found.body.contains("message 0 of"), "{}", found.body);
    }

    #[test]
    fn restricted_words_and_a_used_up_budget_are_said_in_every_language() {
        for (tag, restricted, last) in [
            ("en", "2 to be read in the app only", "Limit of texts"),
            ("fi-FI", "2 luettavissa vain", "raja tuli täyteen"),
            ("sv", "2 kan läsas bara", "Gränsen för sms"),
            ("fr", "2 à lire seulement", "Limite de SMS"),
            ("ja", "2件はアプリ", "上限"),
            ("nb", "2 to be read in the app only", "Limit of texts"),
        ] {
            let told = Digest {
                restricted: 2,
                last: true,
                ..of(&[])
            };
            let body = digest(tag, &told).body;
            assert!(body.contains(restricted) && body.contains(last), "{body}");
            assert!(parts(&body) <= PARTS_MAX, "{body}");
        }
    }

    #[test]
    fn french_stays_in_the_short_alphabet() {
        let told = Digest {
            earlier: 3,
            restricted: 2,
            last: true,
            ..of(&[])
        };
        let texts = [
            digest("fr", &told).body,
            follows("fr", "118"),
            follows_no_more("fr", "118"),
            which_room("fr", Verb::Room, &["118".to_owned(), "ops".to_owned()]),
            which_room("fr", Verb::Room, &[]),
        ];
        for text in texts {
            assert!(crate::texts::measure(&text).gsm7, "{text}");
        }
    }

    #[test]
    fn a_mail_shows_more_of_it() {
        let many: Vec<DigestLine> = (0..60)
            .map(|n| line(&format!("Anna: {n} {}", "x".repeat(500))))
            .collect();
        let found = digest_mail("en", &of(&many));
        assert_eq!(
            (found.subject.as_str(), found.shown),
            ("Aurora Energy 118", 50)
        );
        assert!(found.body.contains("(+10 earlier, left out)"));
        assert!(found.body.contains(&"x".repeat(500)));
    }

    proptest! {
        #[test]
        fn a_text_is_short_and_counts_everything(
            tag in "(en|fi|sv|fr|ja)",
            organisation in "\\PC{0,80}",
            lines in prop::collection::vec(("\\PC{0,60}", "\\PC{0,400}", any::<bool>()), 0..30),
            earlier in 0_u64..10_000,
            restricted in 0_u64..1_000,
            last in any::<bool>(),
        ) {
            let lines: Vec<DigestLine> = lines
                .into_iter()
                .map(|(author, text, calls)| DigestLine { author, text, calls })
                .collect();
            let told = Digest { organisation: &organisation, room: "118", lines: &lines, earlier, restricted, last };
            let found = digest(&tag, &told);
            prop_assert!(parts(&found.body) <= PARTS_MAX + 1, "{}", found.body);
            let left_out = earlier + lines.len() as u64 - found.shown;
            let counted = (words(&tag).left_out)(left_out);
            prop_assert_eq!(found.body.contains(&counted), left_out > 0);
        }
    }
}
