//! Decisions about sources without SQL.

use super::command::{
    About, Brake, Matcher, Redirect, Settings, Signal, Silence, SilenceKind, Source, Test, Word,
};
use super::{Kind, OnResolve, mapping};
use crate::alerts::TEXT_LEN_MAX;
use crate::texts::clean;
use crate::time::Timestamp;
use crate::vocabulary::{Severity, Status};

/// Most things said in one command.
pub const ARRIVALS_MAX: usize = 100;
/// The longest key of a signal, in characters.
pub const KEY_LEN_MAX: usize = 200;
/// The longest stop of everything automatic, milliseconds: it ends by itself.
pub const STOP_MS_MAX: u64 = 30 * 60_000;
/// Most sources.
pub(super) const SOURCES_MAX: i64 = 2_000;
/// Most keys listed of one source. Beyond, those that are over go first; if all are open, new ones are only counted.
pub(super) const SIGNALS_MAX: i64 = 500;
/// Most words of one source in one alert's room.
pub(super) const WORDS_KEPT_MAX: i64 = 50;
/// Most silences and windows that are to come or hold.
pub(super) const SILENCES_MAX: i64 = 500;
/// In which time the alarms of one person are counted, milliseconds.
pub(super) const PERSON_WINDOW_MS: i64 = 10 * 60_000;
/// So many heartbeats falling silent within [`TOGETHER_MS`] become one alert.
pub(super) const TOGETHER: usize = 3;
pub(super) const TOGETHER_MS: i64 = 60_000;

const SOURCE_KEY_LEN_MAX: usize = 64;
const NAME_LEN_MAX: usize = 100;
const CALLS_MAX: usize = 50;
const WORDS_MAX: usize = 50;
const LABELS_MAX: usize = 32;
const LABEL_LEN_MAX: usize = 200;
const MATCHERS_MAX: usize = 10;
const REASON_LEN_MAX: usize = 500;
const LANGUAGES_MAX: usize = 8;
/// The longest word about an alert, in characters.
const WORD_LEN_MAX: usize = 500;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
const BEAT_EVERY_MS: std::ops::RangeInclusive<u64> = 10_000..=31 * DAY_MS;
const SILENCE_MS_MAX: i64 = 31 * 24 * 3_600_000;

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Webhook,
        Self::Alertmanager,
        Self::Grafana,
        Self::Email,
        Self::Heartbeat,
        Self::Cap,
        Self::Snmp,
        Self::Contact,
    ];

    /// The word in rows, requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
            Self::Email => "email",
            Self::Heartbeat => "heartbeat",
            Self::Cap => "cap",
            Self::Snmp => "snmp",
            Self::Contact => "contact",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl OnResolve {
    pub const ALL: [Self; 2] = [Self::Close, Self::Note];

    /// The word in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Note => "note",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.name() == name)
    }
}

impl SilenceKind {
    pub const ALL: [Self; 2] = [Self::Silence, Self::Maintenance];

    /// The word in rows, requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Maintenance => "maintenance",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Test {
    pub const ALL: [Self; 3] = [Self::Is, Self::IsNot, Self::Begins];

    /// The word in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::IsNot => "is_not",
            Self::Begins => "begins",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|test| test.name() == name)
    }
}

/// Why a signal was not let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Held {
    /// Everything automatic is stopped.
    Stopped,
    /// The source is switched off.
    Disabled,
    Silence,
    Maintenance,
    /// It opens and closes too often; people were told so once.
    Flapping,
    /// There is nobody to call.
    Nobody,
}

impl Held {
    const ALL: [Self; 6] = [
        Self::Stopped,
        Self::Disabled,
        Self::Silence,
        Self::Maintenance,
        Self::Flapping,
        Self::Nobody,
    ];

    /// The word in rows and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Disabled => "disabled",
            Self::Silence => "silence",
            Self::Maintenance => "maintenance",
            Self::Flapping => "flapping",
            Self::Nobody => "nobody",
        }
    }

    /// Reads a row's word; `None` where nothing was held.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|held| held.name() == name)
    }
}

/// What is known of a signal's key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KeyState {
    /// Whether what opened it was real.
    pub(super) status: Status,
    /// It has not been resolved.
    pub(super) open: bool,
    /// Why it was not let through, if it was not.
    pub(super) held: Option<Held>,
    /// People were told of it, and that alert is still open.
    pub(super) alert_open: bool,
    /// How often it opened since `changes_since`.
    pub(super) changes: u16,
    pub(super) changes_since: Timestamp,
    pub(super) last_at: Timestamp,
}

impl KeyState {
    /// Only a drill is known under the key of what is real now.
    fn became_real(&self, signal: &Signal) -> bool {
        self.status != Status::Actual && signal.status == Status::Actual
    }
}

/// Where a source stands when something comes from it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Standing<'a> {
    /// Why nothing of it is let through, if so.
    pub(super) barred: Option<Held>,
    pub(super) brake: &'a Brake,
    /// When an alarm last came that was not open yet.
    pub(super) last_new_at: Option<Timestamp>,
    /// The worst it has alarmed with since it was last quiet.
    pub(super) level: Severity,
    /// What is known of the signal's key; `None`: never heard, or long forgotten.
    pub(super) key: Option<KeyState>,
}

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Decision {
    /// People are told at once, of this alone.
    Alone { flapping: bool },
    /// It is added to the source's bundle, which begins with it if there is none.
    Bundle { flapping: bool },
    /// Nobody is told, and it says why.
    Hold(Held),
    /// It is open already.
    Count,
    /// It is over.
    Over,
    /// It is over, as far as anybody knows: a key that flaps may come again at once.
    OverForNow,
    /// The end of something that never began here.
    Nothing,
}

/// Decides what a signal becomes. The same on every node.
pub(super) fn decide(standing: &Standing<'_>, signal: &Signal, now: Timestamp) -> Decision {
    let known = standing.key.as_ref();
    // The end of a drill says nothing about what is real.
    let real = |key: &KeyState| key.status == Status::Actual;
    if signal.resolved {
        return match known {
            Some(key) if real(key) && signal.status != Status::Actual => Decision::Nothing,
            Some(key) if key.open && key.held == Some(Held::Flapping) => Decision::OverForNow,
            Some(key) if key.open => Decision::Over,
            Some(_) | None => Decision::Nothing,
        };
    }
    if let Some(held) = standing.barred {
        return match known {
            // People know of it already; the bar changes nothing about that.
            Some(key)
                if key.open && key.held.is_none() && key.alert_open && !key.became_real(signal) =>
            {
                Decision::Count
            }
            Some(_) | None => Decision::Hold(held),
        };
    }
    if let Some(key) = known {
        if key.held == Some(Held::Flapping) && !key.became_real(signal) {
            return Decision::Count;
        }
        let quiet = now.since(key.last_at).as_millis() >= u128::from(standing.brake.window_ms);
        // A program that never says that something is over must be heard again when it says it anew much later.
        let anew = key.held.is_some() || !key.alert_open && quiet || key.became_real(signal);
        if key.open && !anew {
            return Decision::Count;
        }
    }
    let (changes, _) = opened(known, standing.brake, now);
    let flapping = changes > standing.brake.changes_max;
    let quiet = standing
        .last_new_at
        .is_none_or(|last| now.since(last).as_millis() >= u128::from(standing.brake.window_ms));
    if quiet || signal.severity > standing.level {
        Decision::Alone { flapping }
    } else {
        Decision::Bundle { flapping }
    }
}

/// How often a key will have opened, and since when that is counted, when it opens now.
pub(super) fn opened(known: Option<&KeyState>, brake: &Brake, now: Timestamp) -> (u16, Timestamp) {
    match known {
        // It was open all along, only not told.
        Some(key) if key.open => (key.changes, key.changes_since),
        Some(key)
            if now.since(key.changes_since).as_millis() < u128::from(brake.changes_within_ms) =>
        {
            (key.changes.saturating_add(1), key.changes_since)
        }
        Some(_) | None => (1, now),
    }
}

/// Whether a silence means this signal.
pub(super) fn matches(silence: &Silence, source: &str, signal: &Signal, now: Timestamp) -> bool {
    let meant = silence.source.is_empty() || silence.source == source;
    meant
        && silence.from <= now
        && now < silence.until
        && silence.matchers.iter().all(|matcher| {
            let value = match matcher.label.as_str() {
                "key" => Some(signal.key.as_str()),
                name => signal
                    .labels
                    .iter()
                    .find(|(label, _)| label == name)
                    .map(|(_, value)| value.as_str()),
            };
            match matcher.test {
                Test::Is => value == Some(matcher.value.as_str()),
                Test::IsNot => value != Some(matcher.value.as_str()),
                Test::Begins => value.is_some_and(|value| value.starts_with(&matcher.value)),
            }
        })
}

/// Says what is wrong with a source, in words for the one who wrote it.
pub fn check_source(source: &Source) -> Result<(), String> {
    check_key(&source.key)?;
    check_line("the name", &source.name, NAME_LEN_MAX)?;
    if source.calls.is_empty() {
        return Err("the source calls nobody; name people, groups or schedules".to_owned());
    }
    if source.calls.len() > CALLS_MAX {
        return Err(format!(
            "a source calls at most {CALLS_MAX} names; make a group"
        ));
    }
    if source.severities.len() > WORDS_MAX {
        return Err(format!(
            "at most {WORDS_MAX} words for severities are taken"
        ));
    }
    if source.gather.chars().count() > 200 {
        return Err("where to gather has at most 200 characters".to_owned());
    }
    let brake = &source.brake;
    for (what, ms) in [
        ("the window", brake.window_ms),
        ("the pause between words about growth", brake.tell_every_ms),
        ("the time in which changes count", brake.changes_within_ms),
    ] {
        if !(MINUTE_MS..=DAY_MS).contains(&ms) {
            return Err(format!("{what} is 1 minute to 1 day"));
        }
    }
    if !(2..=100).contains(&brake.changes_max) {
        return Err("a key flaps when it opens more than 2 to 100 times".to_owned());
    }
    if source.answers && source.kind != Kind::Cap {
        return Err("only sources of kind cap are answered with documents of their own".to_owned());
    }
    match (source.kind, &source.beat) {
        (Kind::Heartbeat, None) => {
            return Err("a heartbeat needs to say how often it is expected".to_owned());
        }
        (Kind::Heartbeat, Some(beat)) => {
            if !BEAT_EVERY_MS.contains(&beat.every_ms) || beat.grace_ms > *BEAT_EVERY_MS.end() {
                return Err("a heartbeat is expected every 10 seconds to 31 days".to_owned());
            }
        }
        (
            Kind::Webhook
            | Kind::Alertmanager
            | Kind::Grafana
            | Kind::Email
            | Kind::Cap
            | Kind::Snmp
            | Kind::Contact,
            Some(_),
        ) => return Err("only a heartbeat gives signs of life".to_owned()),
        (
            Kind::Webhook
            | Kind::Alertmanager
            | Kind::Grafana
            | Kind::Email
            | Kind::Cap
            | Kind::Snmp
            | Kind::Contact,
            None,
        ) => {}
    }
    mapping::check(&source.mapping)
}

/// Says what is wrong with a signal. Whoever maps documents keeps within this; apply looks again.
pub(super) fn check_signal(signal: &Signal) -> Result<(), String> {
    let key = signal.key.chars().count();
    if !(1..=KEY_LEN_MAX).contains(&key) {
        return Err(format!("a signal's key has 1 to {KEY_LEN_MAX} characters"));
    }
    if signal.texts.len() > LANGUAGES_MAX
        || signal
            .texts
            .iter()
            .any(|(_, text)| text.chars().count() > TEXT_LEN_MAX)
    {
        return Err(format!(
            "a signal has texts in at most {LANGUAGES_MAX} languages of at most {TEXT_LEN_MAX} characters"
        ));
    }
    if !signal.resolved && signal.texts.iter().all(|(_, text)| text.trim().is_empty()) {
        return Err("the signal has no text".to_owned());
    }
    let long = |text: &str| text.chars().count() > LABEL_LEN_MAX;
    if signal.labels.len() > LABELS_MAX
        || signal
            .labels
            .iter()
            .any(|(label, value)| long(label) || long(value))
    {
        return Err(format!(
            "a signal has at most {LABELS_MAX} labels of at most {LABEL_LEN_MAX} characters"
        ));
    }
    Ok(())
}

/// Says what is wrong with another system's word.
pub(super) fn check_word(word: &Word) -> Result<(), String> {
    check_line("a word about an alert", &word.text, WORD_LEN_MAX)?;
    match &word.about {
        About::Key(key) if key.is_empty() || key.chars().count() > KEY_LEN_MAX => {
            Err(format!("a signal's key has 1 to {KEY_LEN_MAX} characters"))
        }
        About::Key(_) | About::Alert(_) => Ok(()),
    }
}

impl Word {
    /// What another system says, cut to what is taken. What is blank stays blank, and is refused.
    pub fn new(about: About, text: &str) -> Self {
        let about = match about {
            About::Key(key) => About::Key(clean(&key).chars().take(KEY_LEN_MAX).collect()),
            About::Alert(alert) => About::Alert(alert),
        };
        Self {
            about,
            text: clean(text).chars().take(WORD_LEN_MAX).collect(),
        }
    }
}

/// Cuts a signal to what [`check_signal`] takes.
pub(super) fn bounded(mut signal: Signal) -> Signal {
    let cut = |text: &mut String, max: usize| {
        if let Some((end, _)) = text.char_indices().nth(max) {
            text.truncate(end);
        }
    };
    cut(&mut signal.key, KEY_LEN_MAX);
    signal.texts.truncate(LANGUAGES_MAX);
    for (_, text) in &mut signal.texts {
        cut(text, TEXT_LEN_MAX);
    }
    signal.labels.truncate(LABELS_MAX);
    for (label, value) in &mut signal.labels {
        cut(label, LABEL_LEN_MAX);
        cut(value, LABEL_LEN_MAX);
    }
    signal
}

/// Says what is wrong with a silence or maintenance window.
pub fn check_silence(silence: &Silence) -> Result<(), String> {
    if silence.id.len() != 32 || !silence.id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("the id has 32 hexadecimal digits".to_owned());
    }
    check_line("the reason", &silence.reason, REASON_LEN_MAX)?;
    if silence.source.is_empty() && silence.matchers.is_empty() {
        return Err("this would silence everything; name a source or a label, or use `holdfast source stop-all`".to_owned());
    }
    let long = |matcher: &Matcher| {
        matcher.label.is_empty()
            || matcher.label.chars().count() > LABEL_LEN_MAX
            || matcher.value.chars().count() > LABEL_LEN_MAX
    };
    if silence.matchers.len() > MATCHERS_MAX || silence.matchers.iter().any(long) {
        return Err(format!(
            "at most {MATCHERS_MAX} matchers are taken, each with a label and a value of at most {LABEL_LEN_MAX} characters"
        ));
    }
    if silence.until <= silence.from {
        return Err("it must end after it begins".to_owned());
    }
    if silence.until.0.saturating_sub(silence.from.0) > SILENCE_MS_MAX {
        return Err(
            "it must end within 31 days; make another one then if it is still needed".to_owned(),
        );
    }
    Ok(())
}

/// Says what is wrong with a redirect made now.
pub(super) fn check_redirect(redirect: &Redirect, now: Timestamp) -> Result<(), String> {
    if redirect.until.is_some_and(|until| until <= now) {
        return Err(
            "a redirect ends after now; without an end it holds until it is taken back".to_owned(),
        );
    }
    if redirect.reason.is_empty() {
        return Ok(());
    }
    check_line("the reason", &redirect.reason, REASON_LEN_MAX)
}

/// Says what is wrong with what holds for all sources.
pub fn check_settings(settings: &Settings) -> Result<(), String> {
    if !(1..=100).contains(&settings.person_alarms) {
        return Err("a person gets 1 to 100 automatic alarms one by one in 10 minutes".to_owned());
    }
    if settings.duty.len() > CALLS_MAX {
        return Err(format!("duty is at most {CALLS_MAX} names; make a group"));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=SOURCE_KEY_LEN_MAX).contains(&key.len())
        && key.bytes().all(plain)
        && !key.starts_with('-')
    {
        return Ok(());
    }
    let shown: String = key.chars().take(SOURCE_KEY_LEN_MAX).collect();
    // It stands in an address and before an @, where case is not told apart.
    Err(format!(
        "{shown:?} is not a key; use 1 to {SOURCE_KEY_LEN_MAX} of a-z, 0-9 and dash, with no dash first"
    ))
}

pub(super) fn check_line(what: &str, text: &str, max: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.chars().count() > max || text.chars().any(char::is_control) {
        return Err(format!(
            "{what} has at most {max} characters and no line breaks"
        ));
    }
    Ok(())
}

pub(super) const REASON_MAX: usize = REASON_LEN_MAX;
