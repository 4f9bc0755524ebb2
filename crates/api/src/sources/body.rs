//! Sources as JSON, in and out.

use std::collections::BTreeMap;

use domain::oncall::Called;
use domain::recipients::Named;
use domain::sources::{
    self, Beat, Brake, Kind, Mapping, OnResolve, RedirectRow, SignalRow, Source, SourceRow,
};
use domain::vocabulary::Severity;
use domain::{Civil, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::redirect::{RedirectJson, redirect_json};
use crate::alerts::called;
use crate::fields::Fields;
use crate::problem::Problem;

/// A source without the key, which stands in the path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceBody {
    /// As people should read it: 1 to 100 characters.
    #[schema(example = "Prometheus, hall 2")]
    name: String,
    /// `webhook`, `alertmanager`, `grafana`, `email`, `heartbeat`, `cap`, `snmp` or `contact`.
    #[schema(example = "alertmanager")]
    kind: String,
    /// Whom it calls; looked up when it alarms.
    calls: CallsJson,
    /// How bad an alarm is when the source's own word for it is not in `severities`.
    #[serde(default = "high")]
    #[schema(default = "high")]
    severity: String,
    /// The source's own words for how bad it is.
    #[serde(default)]
    #[schema(example = json!({"page": "critical", "warning": "normal"}))]
    severities: BTreeMap<String, String>,
    /// Where to gather: place, bridge number and PIN.
    #[serde(default)]
    gather: String,
    /// How its documents are read; without it, as programs of its kind write them.
    mapping: Option<MappingJson>,
    /// When all of an alert is over: `close` it, or only `note` it in its room.
    #[serde(default = "close")]
    #[schema(default = "close")]
    on_resolve: String,
    /// Seconds without a new alarm after which the source is quiet and the next one is told alone.
    window_s: Option<u64>,
    /// Seconds between two words about a bundle's growth.
    tell_every_s: Option<u64>,
    /// How often a key may open before it counts as flapping.
    flap: Option<FlapJson>,
    /// Expected signs of life; heartbeats only.
    beat: Option<BeatBody>,
    #[serde(default = "yes")]
    #[schema(default = true)]
    enabled: bool,
    /// Its documents are answered with a CAP `Ack` or `Error` instead of JSON; sources of kind `cap` only.
    #[serde(default)]
    answers: bool,
}

/// People, groups and schedules by key; of a schedule whoever is on call at that moment.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallsJson {
    #[serde(default)]
    people: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    schedules: Vec<String>,
}

/// How a document becomes signals. Templates name places in it: `{labels.instance}` or `{/labels/instance}`; `{a|b}` is
/// the first of them that is there.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MappingJson {
    /// JSON pointer to the list of signals; empty: the document is one, or a list of them.
    #[serde(default)]
    #[schema(example = "/alerts")]
    each: String,
    /// The same for the beginning and the end of one matter. Where it comes out empty, the text serves.
    #[serde(default)]
    #[schema(example = "{fingerprint}")]
    key: String,
    /// What people read, by language; `und` or the first serves languages that are missing.
    #[schema(example = json!({"und": "{labels.alertname}: {annotations.summary}"}))]
    texts: BTreeMap<String, String>,
    /// The source's word for how bad it is.
    #[serde(default)]
    #[schema(example = "{labels.severity}")]
    severity: String,
    /// Tells whether it is over.
    #[serde(default)]
    #[schema(example = "{status}")]
    resolved: String,
    /// What it says when it is; a star at either end stands for anything.
    #[serde(default)]
    #[schema(example = json!(["resolved"]))]
    resolved_when: Vec<String>,
    /// JSON pointer to an object whose values become labels.
    #[serde(default)]
    #[schema(example = "/labels")]
    labels: String,
    /// Says `exercise` or `test` when a signal is not real.
    #[serde(default)]
    status: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FlapJson {
    /// 2 to 100.
    changes: u16,
    /// 60 to 86,400.
    within_s: u64,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeatBody {
    /// One at least every so many seconds.
    #[schema(example = 300)]
    every_s: u64,
    /// And so many more until its absence alarms.
    #[schema(example = 60)]
    grace_s: u64,
}

fn high() -> String {
    Severity::High.name().to_owned()
}

fn close() -> String {
    OnResolve::Close.name().to_owned()
}

fn yes() -> bool {
    true
}

/// Checks a body, with every mistake named.
pub(super) fn parse(key: String, body: SourceBody) -> Result<Source, Problem> {
    let mut fields = Fields::default();
    let known = |all: &[&str]| all.join(", ");
    let kind = Kind::parse(&body.kind);
    if kind.is_none() {
        let all = known(&Kind::ALL.map(Kind::name));
        fields.add(
            "/kind",
            format!("{:?} is not known; write one of {all}", body.kind),
        );
    }
    let on_resolve = OnResolve::parse(&body.on_resolve);
    if on_resolve.is_none() {
        fields.add("/on_resolve", "is not known; write close or note");
    }
    let mut severity = |pointer: String, word: &str| {
        let found = Severity::parse(word);
        if found.is_none() {
            let all = known(&Severity::ALL.map(Severity::name));
            fields.add(
                pointer,
                format!("{word:?} is not known; write one of {all}"),
            );
        }
        found.unwrap_or(Severity::High)
    };
    let usual = severity("/severity".to_owned(), &body.severity);
    let severities = body
        .severities
        .iter()
        .map(|(word, name)| (word.clone(), severity(format!("/severities/{word}"), name)))
        .collect();
    let (Some(kind), Some(on_resolve)) = (kind, on_resolve) else {
        return Err(fields.into_problem());
    };
    let usual_brake = Brake::default();
    let ms = |seconds: u64| seconds.saturating_mul(1_000);
    let source = Source {
        key,
        name: body.name,
        kind,
        calls: named(body.calls),
        severity: usual,
        severities,
        gather: body.gather,
        mapping: body.mapping.map_or_else(|| Mapping::of(kind), mapping),
        on_resolve,
        brake: Brake {
            window_ms: body.window_s.map_or(usual_brake.window_ms, ms),
            tell_every_ms: body.tell_every_s.map_or(usual_brake.tell_every_ms, ms),
            changes_max: body
                .flap
                .as_ref()
                .map_or(usual_brake.changes_max, |f| f.changes),
            changes_within_ms: body
                .flap
                .as_ref()
                .map_or(usual_brake.changes_within_ms, |f| ms(f.within_s)),
        },
        beat: body.beat.map(|beat| Beat {
            every_ms: ms(beat.every_s),
            grace_ms: ms(beat.grace_s),
        }),
        enabled: body.enabled,
        answers: body.answers,
    };
    fields.take("", sources::check_source(&source));
    fields.finish()?;
    Ok(source)
}

/// People first, then groups, then schedules, each in the order written.
pub(super) fn named(calls: CallsJson) -> Vec<Called> {
    called(calls.people, calls.groups, calls.schedules)
}

pub(super) fn calls(named: &[Called]) -> CallsJson {
    let mut calls = CallsJson::default();
    for name in named {
        match name {
            Called::Named(Named::Person(key)) => calls.people.push(key.clone()),
            Called::Named(Named::Group(key)) => calls.groups.push(key.clone()),
            Called::OnCall(key) => calls.schedules.push(key.clone()),
        }
    }
    calls
}

fn mapping(json: MappingJson) -> Mapping {
    // The one that serves missing languages stands first: the unmarked one, else English.
    let mut texts: Vec<(String, String)> = json.texts.into_iter().collect();
    texts.sort_by_key(|(language, _)| match language.as_str() {
        "und" => 0,
        "en" => 1,
        _ => 2,
    });
    Mapping {
        each: json.each,
        key: json.key,
        texts,
        severity: json.severity,
        resolved: json.resolved,
        resolved_when: json.resolved_when,
        labels: json.labels,
        status: json.status,
    }
}

/// A source and where it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub(super) struct SourceJson {
    key: String,
    name: String,
    kind: &'static str,
    calls: CallsJson,
    /// Whom its alarms call instead; null: whom it calls.
    redirect: Option<RedirectJson>,
    severity: &'static str,
    severities: BTreeMap<String, &'static str>,
    gather: String,
    mapping: MappingJson,
    on_resolve: &'static str,
    window_s: u64,
    tell_every_s: u64,
    flap: FlapJson,
    beat: Option<BeatJson>,
    enabled: bool,
    /// Its documents are answered in their own language.
    answers: bool,
    /// Whether it has a token, without which nobody can reach it from outside.
    token: bool,
    token_set_at: Option<String>,
    /// Everything that ever came.
    signals: u64,
    /// What of it was not let through.
    held: u64,
    /// When an alarm last came that was not open yet.
    last_new_at: Option<String>,
}

/// Signs of life of a source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Beat)]
pub(super) struct BeatJson {
    every_s: u64,
    grace_s: u64,
    last_at: Option<String>,
    /// When its silence alarms; null while it is known to be silent.
    due_at: Option<String>,
    silent_since: Option<String>,
}

pub(super) fn source_json(
    row: SourceRow,
    redirect: Option<RedirectRow>,
    civil: &Civil,
    now: Timestamp,
) -> SourceJson {
    let shown = |at: Option<Timestamp>| at.map(|at| civil.rfc3339(at));
    let source = row.source;
    SourceJson {
        key: source.key,
        name: source.name,
        kind: source.kind.name(),
        calls: calls(&source.calls),
        redirect: redirect.map(|row| {
            let over = !row.holds(now);
            redirect_json(row, civil, over)
        }),
        severity: source.severity.name(),
        severities: source
            .severities
            .into_iter()
            .map(|(word, severity)| (word, severity.name()))
            .collect(),
        gather: source.gather,
        mapping: MappingJson {
            each: source.mapping.each,
            key: source.mapping.key,
            texts: source.mapping.texts.into_iter().collect(),
            severity: source.mapping.severity,
            resolved: source.mapping.resolved,
            resolved_when: source.mapping.resolved_when,
            labels: source.mapping.labels,
            status: source.mapping.status,
        },
        on_resolve: source.on_resolve.name(),
        window_s: source.brake.window_ms / 1_000,
        tell_every_s: source.brake.tell_every_ms / 1_000,
        flap: FlapJson {
            changes: source.brake.changes_max,
            within_s: source.brake.changes_within_ms / 1_000,
        },
        beat: source.beat.map(|beat| BeatJson {
            every_s: beat.every_ms / 1_000,
            grace_s: beat.grace_ms / 1_000,
            last_at: shown(row.beat_at),
            due_at: shown(row.beat_due),
            silent_since: shown(row.beat_lost_at),
        }),
        enabled: source.enabled,
        answers: source.answers,
        token: row.token_hash.is_some(),
        token_set_at: shown(row.token_set_at),
        signals: row.signals,
        held: row.held,
        last_new_at: shown(row.last_new_at),
    }
}

/// What a source said under one of its keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Signal)]
pub(super) struct SignalJson {
    key: String,
    severity: &'static str,
    status: &'static str,
    texts: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    open: bool,
    /// Why people were not told: `stopped`, `disabled`, `silence`, `maintenance`, `flapping`, `nobody`; null: they were.
    held: Option<&'static str>,
    /// Which silence or window held it.
    silence: Option<String>,
    /// Number of the alert in which people were told.
    alert: Option<String>,
    /// How often it came while open.
    count: u64,
    first_at: String,
    last_at: String,
    ended_at: Option<String>,
}

pub(super) fn signal_json(row: SignalRow, civil: &Civil) -> SignalJson {
    SignalJson {
        key: row.key,
        severity: row.severity.name(),
        status: row.status.name(),
        texts: row.texts.into_iter().collect(),
        labels: row.labels.into_iter().collect(),
        open: row.open,
        held: row.held.map(sources::Held::name),
        silence: (!row.silence.is_empty()).then_some(row.silence),
        alert: row.label,
        count: row.count,
        first_at: civil.rfc3339(row.first_at),
        last_at: civil.rfc3339(row.last_at),
        ended_at: row.ended_at.map(|at| civil.rfc3339(at)),
    }
}
