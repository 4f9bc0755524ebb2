//! Why an order is not carried out, and how to write one.

use super::{listed, name};
use crate::texts::clean::{clean, clip};
use crate::texts::{Language, Verb};

/// Longest other rule in a reply.
const RULE_UNITS_MAX: usize = 200;

/// Why nothing is done.
#[derive(Clone, Copy, Debug)]
pub enum Refused<'a> {
    NotAllowed,
    /// Nobody ever saw that this number reaches its person.
    NotVerified,
    /// Too many orders from this number within an hour.
    TooMany,
    /// The order lacks what it is about; how to write it.
    Usage(Verb),
    UnknownTarget {
        name: &'a str,
        known: &'a [String],
    },
    UnknownAlert(&'a str),
    /// None was named, and none is open.
    NothingOpen,
    Closed(&'a str),
    /// Somebody took it over before.
    TakenOver(&'a str),
    /// Several alerts are open and none was named.
    WhichAlert(&'a [String]),
    TooLong {
        len: usize,
        max: usize,
    },
    /// A template's holes that nothing was said for.
    Missing {
        template: &'a str,
        holes: &'a [String],
    },
    /// Not while this site is cut off.
    Alone(&'a str),
    /// Any other rule, in its own words.
    Rule(&'a str),
}

/// Why nothing is done, and what to do instead.
pub fn order_refused(language: Language, refused: Refused<'_>) -> String {
    match refused {
        Refused::NotAllowed => language.word("order.refused.not_allowed").to_owned(),
        Refused::NotVerified => language.word("order.refused.not_verified").to_owned(),
        Refused::TooMany => language.word("order.refused.too_many").to_owned(),
        Refused::Usage(verb) => {
            language.say("order.refused.usage", &[("usage", &usage(language, verb))])
        }
        Refused::UnknownTarget { name: n, known } => {
            let values = [("name", &*name(n)), ("known", &listed(known))];
            language.say("order.refused.unknown_target", &values)
        }
        Refused::UnknownAlert(number) => {
            language.say("order.refused.unknown_alert", &[("number", &name(number))])
        }
        Refused::NothingOpen => language.word("order.refused.nothing_open").to_owned(),
        Refused::Closed(number) => language.say("order.refused.closed", &[("number", number)]),
        Refused::TakenOver(number) => {
            language.say("order.refused.taken_over", &[("number", number)])
        }
        Refused::WhichAlert(open) => {
            language.say("order.refused.which_alert", &[("open", &listed(open))])
        }
        Refused::TooLong { len, max } => {
            let values = [("len", &*len.to_string()), ("max", &max.to_string())];
            language.say("order.refused.too_long", &values)
        }
        Refused::Missing { template, holes } => {
            let values = [("template", &*name(template)), ("holes", &listed(holes))];
            language.say("order.refused.missing", &values)
        }
        Refused::Alone(site) => language.say("order.refused.alone", &[("site", &name(site))]),
        Refused::Rule(rule) => {
            let rule = clip(&clean(rule), RULE_UNITS_MAX);
            language.say("order.refused.rule", &[("rule", &rule)])
        }
    }
}

/// The orders there are, as short as can be; `all`: also those that change something.
pub fn order_help(language: Language, all: bool) -> String {
    let verbs: &[Verb] = match all {
        true => &[
            Verb::Start,
            Verb::Status,
            Verb::Who,
            Verb::Add,
            Verb::Tell,
            Verb::Room,
            Verb::Follow,
            Verb::Take,
            Verb::CallOff,
            Verb::Mute,
            Verb::Report,
        ],
        false => &[
            Verb::Status,
            Verb::Who,
            Verb::Room,
            Verb::Follow,
            Verb::Take,
            Verb::Report,
        ],
    };
    let lines: Vec<String> = verbs.iter().map(|verb| usage(language, *verb)).collect();
    lines.join("\n")
}

/// How one order is written.
fn usage(language: Language, verb: Verb) -> String {
    let word = verb.word(language);
    let key = match verb {
        Verb::Help => return word.to_owned(),
        Verb::Status | Verb::Take | Verb::Follow | Verb::Unfollow => return format!("{word} 118"),
        Verb::Start => "order.usage.start",
        Verb::Who => "order.usage.who",
        Verb::Add => "order.usage.add",
        Verb::Tell | Verb::Room => "order.usage.words",
        Verb::Mute => "order.usage.mute",
        Verb::CallOff => "order.usage.call_off",
        Verb::Report => "order.usage.report",
    };
    language.say(key, &[("verb", word)])
}
