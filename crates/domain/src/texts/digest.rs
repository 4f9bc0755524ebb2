//! What was said in a room, for those who follow it by text or mail.

use super::clean::{clean, clip};
use super::page::ORGANISATION_UNITS_MAX;
use super::{Language, Verb};

/// SMS parts of one digest, unless its frame alone takes more.
pub const DIGEST_PARTS_MAX: u16 = 3;

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
pub fn digest(language: Language, digest: &Digest<'_>) -> Worded {
    let mut kept: Vec<&DigestLine> = digest.lines.iter().collect();
    loop {
        let shortest = LINE_UNITS[LINE_UNITS.len() - 1];
        for units in LINE_UNITS {
            let body = whole(language, digest, &kept, units);
            if super::parts(&body) <= DIGEST_PARTS_MAX || (kept.is_empty() && units == shortest) {
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
pub fn digest_mail(language: Language, digest: &Digest<'_>) -> Worded {
    let skipped = digest.lines.len().saturating_sub(MAIL_LINES_MAX);
    let kept: Vec<&DigestLine> = digest.lines.iter().skip(skipped).collect();
    let body = whole(language, digest, &kept, MAIL_LINE_UNITS_MAX);
    Worded {
        subject: head(digest),
        body: format!("{body}\n"),
        shown: kept.len() as u64,
    }
}

/// What a digest's mail says about answering it.
pub fn reply_to_digest(language: Language) -> &'static str {
    language.word("room.reply_to_digest")
}

/// Offers somebody who is coming what is said in the room of their alert.
pub fn offer_room(language: Language, room: &str) -> String {
    let (offer, follow) = (language.word("room.offer"), Verb::Follow.word(language));
    format!("{offer} {follow} {}", name(room))
}

/// What whoever follows a room from now on is told.
pub fn follows(language: Language, room: &str) -> String {
    let room = name(room);
    let (write, stop) = (Verb::Room.word(language), Verb::Unfollow.word(language));
    let values = [
        ("room", &*room),
        ("write", &format!("{write} {room} ...")),
        ("stop", &format!("{stop} {room}")),
    ];
    language.say("room.follows", &values)
}

/// What whoever follows a room no more is told.
pub fn follows_no_more(language: Language, room: &str) -> String {
    language.say("room.follows_no_more", &[("room", &name(room))])
}

/// Words or an order could be meant for several rooms, or for none: which there are, and what to text.
pub fn which_room(language: Language, verb: Verb, rooms: &[String]) -> String {
    let rooms: Vec<String> = rooms.iter().map(|room| name(room)).collect();
    let Some(first) = rooms.first() else {
        return language.word("room.none").to_owned();
    };
    let example = format!("{} {first}", verb.word(language));
    let values = [("rooms", &*rooms.join(", ")), ("example", &example)];
    language.say("room.which", &values)
}

fn name(room: &str) -> String {
    clip(&clean(room), ROOM_UNITS_MAX)
}

fn head(digest: &Digest<'_>) -> String {
    let organisation = clip(&clean(digest.organisation), ORGANISATION_UNITS_MAX);
    format!("{organisation} {}", name(digest.room))
}

fn whole(language: Language, digest: &Digest<'_>, kept: &[&DigestLine], units: usize) -> String {
    let counted = |key, count: u64| language.say(key, &[("n", &count.to_string())]);
    let left_out = digest.earlier + (digest.lines.len() - kept.len()) as u64;
    let mut said = vec![format!("{}:", head(digest))];
    if left_out > 0 {
        said.push(counted("room.left_out", left_out));
    }
    let line = |line: &&DigestLine| {
        let text = format!("{}: {}", clean(&line.author), clean(&line.text));
        clip(&text, units)
    };
    said.extend(kept.iter().map(line));
    if digest.restricted > 0 {
        said.push(counted("room.in_the_app", digest.restricted));
    }
    if digest.last {
        said.push(language.word("room.no_more_for_now").to_owned());
    }
    let write = Verb::Room.word(language);
    let to_write = language.word("room.to_write");
    said.push(format!("{to_write} {write} {} ...", name(digest.room)));
    said.join("\n")
}

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
        let found = digest(Language::parse("en"), &of(&few));
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
        let found = digest(Language::parse("sv"), &of(&many));
        assert!(parts(&found.body) <= DIGEST_PARTS_MAX, "{}", found.body);
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
            let body = digest(Language::parse(tag), &told).body;
            assert!(body.contains(restricted) && body.contains(last), "{body}");
            assert!(parts(&body) <= DIGEST_PARTS_MAX, "{body}");
        }
    }

    #[test]
    fn every_language_speaks_of_rooms_in_words_of_its_own() {
        let mut said = std::collections::BTreeSet::new();
        for &language in Language::all() {
            let all = [
                follows(language, "118"),
                follows_no_more(language, "118"),
                which_room(language, Verb::Room, &[]),
                offer_room(language, "118"),
                reply_to_digest(language).to_owned(),
            ];
            for text in all {
                assert!(said.insert(text.clone()), "{language:?} borrows: {text}");
            }
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
        let french = Language::parse("fr");
        let texts = [
            digest(french, &told).body,
            follows(french, "118"),
            follows_no_more(french, "118"),
            which_room(french, Verb::Room, &["118".to_owned(), "ops".to_owned()]),
            which_room(french, Verb::Room, &[]),
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
        let found = digest_mail(Language::parse("en"), &of(&many));
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
            let found = digest(Language::parse(&tag), &told);
            prop_assert!(parts(&found.body) <= DIGEST_PARTS_MAX + 1, "{}", found.body);
            let left_out = earlier + lines.len() as u64 - found.shown;
            let counted = Language::parse(&tag).say("room.left_out", &[("n", &left_out.to_string())]);
            prop_assert_eq!(found.body.contains(&counted), left_out > 0);
        }
    }
}
