//! The words that begin an order by text (DESIGN §4.5). Lower case, without accents, as inbound texts are folded. Every
//! language's words are understood from everybody: a Finn may order in Swedish.

use super::Language;

/// What can be ordered by text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verb {
    /// Raises an alert, from a template or with words of one's own.
    Start,
    /// What is open, and how it stands.
    Status,
    /// Who comes when, or who is on call.
    Who,
    /// Calls more people to an alert.
    Add,
    /// Texts everybody who was called to an alert.
    Tell,
    /// Writes into a room.
    Room,
    /// What is said in a room comes by text from now on.
    Follow,
    /// What is said in a room comes by text no more.
    Unfollow,
    /// Holds back a source of alerts for a while, or all of them.
    Mute,
    /// Stands everybody down.
    CallOff,
    /// Takes an alert over: no further step is called.
    Take,
    /// Which orders there are.
    Help,
    /// Tells those on duty of something.
    Report,
}

/// A verb, as our texts write it, and what begins it.
type Phrases = &'static [(Verb, &'static str, &'static [&'static [&'static str]])];

impl Verb {
    /// Whether it is about an alert that there is, so that a code may name it.
    pub fn names_alert(self) -> bool {
        match self {
            Self::Status
            | Self::Who
            | Self::Add
            | Self::Tell
            | Self::Room
            | Self::Follow
            | Self::Unfollow
            | Self::CallOff
            | Self::Take => true,
            Self::Start | Self::Mute | Self::Help | Self::Report => false,
        }
    }

    /// The word as a text of ours writes it.
    pub fn word(self, language: Language) -> &'static str {
        let own = of(language).iter().find(|(verb, ..)| *verb == self);
        own.map_or("", |(_, word, _)| word)
    }
}

/// Every verb with each of its phrases, in every language.
pub fn verbs() -> impl Iterator<Item = (Verb, &'static [&'static str])> {
    Language::ALL.into_iter().flat_map(|language| {
        of(language)
            .iter()
            .flat_map(|(verb, _, phrases)| phrases.iter().map(|phrase| (*verb, *phrase)))
    })
}

fn of(language: Language) -> Phrases {
    match language {
        Language::Fi => FI,
        Language::Sv => SV,
        Language::En => EN,
    }
}

const EN: Phrases = &[
    (Verb::Start, "START", &[&["start"], &["alert"], &["raise"]]),
    (Verb::Status, "STATUS", &[&["status"]]),
    (Verb::Who, "WHO", &[&["who"]]),
    (Verb::Add, "ADD", &[&["add"]]),
    (Verb::Tell, "MSG", &[&["msg"], &["message"]]),
    (Verb::Room, "ROOM", &[&["room"], &["diary"]]),
    (Verb::Follow, "FOLLOW", &[&["follow"]]),
    (Verb::Unfollow, "UNFOLLOW", &[&["unfollow"]]),
    (Verb::Mute, "MUTE", &[&["mute"]]),
    (
        Verb::CallOff,
        "CALLOFF",
        &[
            &["calloff"],
            &["call", "off"],
            &["standdown"],
            &["stand", "down"],
        ],
    ),
    (Verb::Take, "TAKE", &[&["take"]]),
    (
        Verb::Help,
        "COMMANDS",
        &[&["commands"], &["menu"], &["info"]],
    ),
    (Verb::Report, "REPORT", &[&["report"]]),
];

const FI: Phrases = &[
    (
        Verb::Start,
        "HÄLYTÄ",
        &[&["halyta"], &["halytys"], &["kaynnista"]],
    ),
    (Verb::Status, "TILANNE", &[&["tilanne"]]),
    (Verb::Who, "KETKÄ", &[&["ketka"], &["kuka"]]),
    (Verb::Add, "LISÄÄ", &[&["lisaa"], &["kutsu"]]),
    (Verb::Tell, "VIESTI", &[&["viesti"], &["tiedote"]]),
    (Verb::Room, "HUONE", &[&["huone"], &["paivakirja"]]),
    (Verb::Follow, "SEURAA", &[&["seuraa"]]),
    (
        Verb::Unfollow,
        "ÄLÄ SEURAA",
        &[&["ala", "seuraa"], &["lopeta", "seuranta"]],
    ),
    (
        Verb::Mute,
        "VAIMENNA",
        &[&["vaimenna"], &["mykista"], &["hiljenna"]],
    ),
    (
        Verb::CallOff,
        "PERU",
        &[&["peru"], &["peruuta"], &["peruutus"]],
    ),
    (Verb::Take, "OTAN", &[&["otan"]]),
    (Verb::Help, "OHJE", &[&["ohje"], &["ohjeet"], &["komennot"]]),
    (Verb::Report, "ILMOITUS", &[&["ilmoitus"], &["ilmoita"]]),
];

const SV: Phrases = &[
    (Verb::Start, "LARMA", &[&["larma"], &["larm"], &["starta"]]),
    (Verb::Status, "LÄGE", &[&["lage"], &["laget"]]),
    (Verb::Who, "VEM", &[&["vem"], &["vilka"]]),
    (Verb::Add, "LÄGG TILL", &[&["lagg", "till"], &["kalla"]]),
    (Verb::Tell, "MEDDELA", &[&["meddela"], &["meddelande"]]),
    (Verb::Room, "RUM", &[&["rum"], &["dagbok"]]),
    (Verb::Follow, "FÖLJ", &[&["folj"], &["folja"]]),
    (
        Verb::Unfollow,
        "FÖLJ INTE",
        &[&["folj", "inte"], &["sluta", "folja"]],
    ),
    (Verb::Mute, "TYSTA", &[&["tysta"]]),
    (
        Verb::CallOff,
        "AVLYS",
        &[&["avlys"], &["avblas"], &["aterkalla"]],
    ),
    (Verb::Take, "TAR", &[&["tar"], &["ta"]]),
    (
        Verb::Help,
        "KOMMANDON",
        &[&["kommandon"], &["instruktion"], &["meny"]],
    ),
    (Verb::Report, "ANMÄL", &[&["anmal"], &["anmalan"]]),
];
