//! The words that begin an order by text (DESIGN §4.5). In the catalogue they stand lower case, without accents, as inbound
//! texts are folded. Every language's words are understood from everybody: a Finn may order in Swedish.

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

impl Verb {
    const ALL: [Self; 13] = [
        Self::Start,
        Self::Status,
        Self::Who,
        Self::Add,
        Self::Tell,
        Self::Room,
        Self::Follow,
        Self::Unfollow,
        Self::Mute,
        Self::CallOff,
        Self::Take,
        Self::Help,
        Self::Report,
    ];

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
        let (word, _) = self.keys();
        language.word(word)
    }

    /// Where the catalogue has the word that our texts write, and the phrases that begin the order, with commas between.
    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Start => ("verb.start", "verb.start.said"),
            Self::Status => ("verb.status", "verb.status.said"),
            Self::Who => ("verb.who", "verb.who.said"),
            Self::Add => ("verb.add", "verb.add.said"),
            Self::Tell => ("verb.tell", "verb.tell.said"),
            Self::Room => ("verb.room", "verb.room.said"),
            Self::Follow => ("verb.follow", "verb.follow.said"),
            Self::Unfollow => ("verb.unfollow", "verb.unfollow.said"),
            Self::Mute => ("verb.mute", "verb.mute.said"),
            Self::CallOff => ("verb.call_off", "verb.call_off.said"),
            Self::Take => ("verb.take", "verb.take.said"),
            Self::Help => ("verb.help", "verb.help.said"),
            Self::Report => ("verb.report", "verb.report.said"),
        }
    }
}

/// Every verb with the words of each of its phrases, in every language.
pub fn verbs() -> impl Iterator<Item = (Verb, Vec<&'static str>)> {
    let phrases = |language: Language, verb: Verb| {
        let (_, said) = verb.keys();
        let phrases = language.word(said).split(',');
        phrases.map(move |phrase| (verb, phrase.split_whitespace().collect()))
    };
    Language::all()
        .iter()
        .flat_map(move |language| {
            Verb::ALL
                .into_iter()
                .flat_map(move |verb| phrases(*language, verb))
        })
        .filter(|(_, words): &(Verb, Vec<_>)| !words.is_empty())
}
