//! Answers in words, by language. Lower case, without accents, apostrophes left out: as [`super::tokens`] folds a text.

use super::Said;
use crate::vocabulary::{AlertKind, Answer};

/// Words that mean an answer.
pub(super) struct Phrase {
    pub(super) words: &'static [&'static str],
    pub(super) says: Said,
}

/// Every phrase of every language that answers this kind of alert: a Finn may answer in Swedish.
pub(super) fn all(kind: AlertKind) -> impl Iterator<Item = Phrase> {
    let of = |phrases: &'static [&'static [&'static str]], says| {
        phrases.iter().map(move |words| Phrase { words, says })
    };
    let (first, second, third): (Phrases, Phrases, Phrases) = match kind {
        AlertKind::Alert => (
            (COMING, Answer::Coming),
            (CANNOT, Answer::Cannot),
            (RECEIVED, Answer::Received),
        ),
        AlertKind::SafetyCheck => (
            (SAFE, Answer::Safe),
            (NOT_HERE, Answer::NotOnSite),
            (&[], Answer::NotOnSite),
        ),
    };
    [first, second, third, (NEED_HELP, Answer::NeedHelp)]
        .into_iter()
        .flat_map(move |(phrases, answer)| of(phrases, Said::Plainly(answer)))
        .chain(of(YES, Said::Yes))
}

/// Phrases that mean one answer.
type Phrases = (&'static [&'static [&'static str]], Answer);

/// A reaction that phones offer with one touch.
pub(super) const THUMB_UP: char = '\u{1f44d}';

/// Around an answer, and no part of it.
pub(super) const COURTESIES: &[&str] = &[
    "re",
    "vs",
    "sv",
    "fwd",
    "vastaa",
    "vastaus",
    "svara",
    "svar",
    "reply",
    "answer",
    "hi",
    "hello",
    "moi",
    "hei",
    "hej",
    "terve",
    "kiitos",
    "kiitti",
    "tack",
    "tackar",
    "thanks",
    "thank",
    "you",
    "thx",
    "please",
    "pls",
    "br",
    "t",
    "mvh",
    "code",
    "koodi",
    "kod",
    "reponse",
    "bonjour",
    "bonsoir",
    "salut",
    "merci",
    "返信",
    "回答",
    "コード",
];

/// Alone, they ask whether a text was ours.
pub(super) const QUESTIONS: &[&str] = &[
    "aito", "aitoko", "oikea", "akta", "real", "genuine", "vrai", "本物",
];

/// Everything that is open.
pub(super) const ALL: &[&str] = &[
    "all",
    "alla",
    "allt",
    "kaikki",
    "kaikkiin",
    "kaikille",
    "tout",
    "tous",
    "toutes",
    "全部",
    "全員",
    "すべて",
];

/// Between an answer and the time until somebody is there.
pub(super) const ABOUT: &[&str] = &[
    "in", "om", "noin", "n", "ca", "cirka", "about", "eta", "there", "perilla", "paikalla",
    "framme", "dans", "environ", "dici", "約", "あと",
];

/// Behind such a time: "20 min päästä".
pub(super) const AFTER: &[&str] = &["paasta", "kuluttua", "sisalla", "away", "後", "後に"];

/// After a number, they make it minutes.
pub(super) const MINUTES: &[&str] = &[
    "m",
    "min",
    "mins",
    "minute",
    "minutes",
    "minuutti",
    "minuuttia",
    "minuutin",
    "minut",
    "minuter",
    "分",
    "分後",
];

/// After a number, they make it hours.
pub(super) const HOURS: &[&str] = &[
    "h",
    "hr",
    "hrs",
    "hour",
    "hours",
    "tunti",
    "tuntia",
    "tunnin",
    "tim",
    "timme",
    "timmar",
    "heure",
    "heures",
    "時間",
    "時間後",
];

/// After a number, they make it an amount of something else, or of nobody knows what.
pub(super) const UNITS: &[&str] = &["t", "am", "pm", "km", "hlo", "people"];

const YES: &[&[&str]] = &[
    // fi; "no" is "well" there
    &["kylla"],
    &["joo"],
    &["juu"],
    &["no", "joo"],
    &["no", "juu"],
    // sv; also "and" in Finnish
    &["ja"],
    &["jo"],
    &["japp"],
    // en
    &["yes"],
    &["yep"],
    &["yeah"],
    // fr
    &["oui"],
    // ja
    &["はい"],
    // everywhere
    &["ok"],
    &["okay"],
    &["okei"],
    &["okej"],
    &["\u{1f44d}"],
];

const COMING: &[&[&str]] = &[
    // fi
    &["tulossa"],
    &["olen", "tulossa"],
    &["tulen"],
    &["no", "tulen"],
    &["tuun"],
    &["matkalla"],
    &["olen", "matkalla"],
    &["paasen"],
    &["lahden"],
    // sv
    &["kommer"],
    &["jag", "kommer"],
    &["pa", "vag"],
    &["ar", "pa", "vag"],
    // en
    &["coming"],
    &["im", "coming"],
    &["i", "am", "coming"],
    &["on", "my", "way"],
    &["omw"],
    // fr
    &["jarrive"],
    &["arrive"],
    &["je", "viens"],
    &["je", "suis", "en", "route"],
    &["en", "route"],
    &["jy", "vais"],
    // ja
    &["向かう"],
    &["向かいます"],
    &["向かっています"],
    &["行く"],
    &["行きます"],
    &["行けます"],
    &["参加"],
];

const CANNOT: &[&[&str]] = &[
    // fi
    &["en", "paase"],
    &["en", "paase", "tulemaan"],
    &["en", "tule"],
    &["en", "voi"],
    &["en", "voi", "tulla"],
    &["en", "ehdi"],
    &["en", "pysty"],
    &["ei", "pysty"],
    &["ei", "paase"],
    &["ei"],
    // sv
    &["kan", "inte"],
    &["kan", "inte", "komma"],
    &["kan", "ej"],
    &["jag", "kan", "inte"],
    &["jag", "kan", "inte", "komma"],
    &["kommer", "inte"],
    &["kommer", "ej"],
    &["jag", "kommer", "inte"],
    &["nej"],
    // en
    &["cannot"],
    &["cannot", "come"],
    &["can", "not"],
    &["can", "not", "come"],
    &["cant"],
    &["cant", "come"],
    &["i", "cannot"],
    &["i", "cannot", "come"],
    &["i", "cant"],
    &["i", "cant", "come"],
    &["not", "coming"],
    &["im", "not", "coming"],
    &["i", "am", "not", "coming"],
    &["unable"],
    &["no"],
    &["nope"],
    // fr
    &["impossible"],
    &["je", "ne", "peux", "pas"],
    &["je", "ne", "peux", "pas", "venir"],
    &["ne", "peux", "pas"],
    &["peux", "pas"],
    &["je", "ne", "viens", "pas"],
    &["non"],
    // ja
    &["不可"],
    &["行けない"],
    &["行けません"],
    &["無理"],
    &["無理です"],
    &["いいえ"],
];

const RECEIVED: &[&[&str]] = &[
    // fi
    &["saatu"],
    &["saatu", "tieto"],
    &["luettu"],
    &["vastaanotettu"],
    &["kuittaan"],
    &["kuitattu"],
    &["kuittaus"],
    // sv
    &["mottaget"],
    &["mottagit"],
    &["har", "mottagit"],
    &["uppfattat"],
    &["last"],
    // en
    &["received"],
    &["got", "it"],
    &["ack"],
    &["acknowledged"],
    &["roger"],
    &["noted"],
    // fr
    &["vu"],
    &["recu"],
    &["bien", "recu"],
    &["compris"],
    &["note"],
    // ja
    &["確認"],
    &["確認しました"],
    &["確認済み"],
    &["了解"],
    &["了解しました"],
];

const NEED_HELP: &[&[&str]] = &[
    // fi
    &["apua"],
    &["tarvitsen", "apua"],
    &["tarvitaan", "apua"],
    // sv
    &["hjalp"],
    &["behover", "hjalp"],
    &["jag", "behover", "hjalp"],
    // en
    &["help"],
    &["need", "help"],
    &["i", "need", "help"],
    &["help", "me"],
    &["sos"],
    // fr
    &["aide"],
    &["a", "laide"],
    &["besoin", "daide"],
    &["jai", "besoin", "daide"],
    &["au", "secours"],
    // ja
    &["救援"],
    &["助けて"],
    &["助けが必要"],
    &["助けが必要です"],
];

const SAFE: &[&[&str]] = &[
    // fi
    &["turvassa"],
    &["olen", "turvassa"],
    &["kunnossa"],
    &["olen", "kunnossa"],
    &["ulkona"],
    &["olen", "ulkona"],
    // sv
    &["i", "sakerhet"],
    &["ar", "i", "sakerhet"],
    &["jag", "ar", "i", "sakerhet"],
    &["trygg"],
    &["mar", "bra"],
    &["jag", "mar", "bra"],
    // en
    &["safe"],
    &["im", "safe"],
    &["i", "am", "safe"],
    &["fine"],
    &["im", "fine"],
    &["i", "am", "fine"],
    // fr
    &["en", "securite"],
    &["je", "suis", "en", "securite"],
    &["sain", "et", "sauf"],
    &["je", "vais", "bien"],
    // ja
    &["無事"],
    &["無事です"],
    &["安全"],
    &["安全です"],
];

const NOT_HERE: &[&[&str]] = &[
    // fi
    &["en", "paikalla"],
    &["en", "ole", "paikalla"],
    &["ei", "paikalla"],
    &["en", "ole", "siella"],
    &["etana"],
    &["etatoissa"],
    // sv
    &["ej", "pa", "plats"],
    &["inte", "pa", "plats"],
    &["ar", "inte", "pa", "plats"],
    &["jag", "ar", "inte", "pa", "plats"],
    &["inte", "dar"],
    &["jag", "ar", "inte", "dar"],
    // en
    &["not", "here"],
    &["im", "not", "here"],
    &["i", "am", "not", "here"],
    &["not", "there"],
    &["im", "not", "there"],
    &["i", "am", "not", "there"],
    &["not", "on", "site"],
    &["im", "not", "on", "site"],
    &["i", "am", "not", "on", "site"],
    &["off", "site"],
    // fr
    &["pas", "sur", "place"],
    &["je", "ne", "suis", "pas", "sur", "place"],
    &["pas", "la"],
    &["absent"],
    &["absente"],
    // ja
    &["不在"],
    &["不在です"],
    &["現場にいない"],
    &["現場にいません"],
];
