-- 0013_sources.sql: programs and things that raise alerts by themselves (domain::sources).

-- One row per source: what it may do and where it stands.
create table source (
    source_key         text    primary key,
    name               text    not null,
    kind               text    not null,
    settings           text    not null, -- what apply does not search by, as JSON (sources::settings)
    enabled            integer not null,
    token_hash         blob,             -- SHA-256; null: nobody can reach it from outside
    token_set_at_ms    integer,
    last_new_at_ms     integer,          -- when an alarm last came that was not open yet
    level              integer not null, -- severity it has alarmed with since it was last quiet
    signals            integer not null, -- everything that ever came
    held               integer not null, -- what of it was not let through
    beat_every_ms      integer,          -- heartbeats only
    beat_grace_ms      integer,
    beat_at_ms         integer,
    beat_due_ms        integer,          -- when its silence alarms; null: not expected, or known to be silent
    beat_lost_at_ms    integer,          -- since when it is known to be silent
    updated_at_ms      integer not null
) strict;
create index source_beat_due on source (beat_due_ms, source_key) where beat_due_ms is not null;
create index source_beat_lost on source (beat_lost_at_ms, source_key) where beat_lost_at_ms is not null;

-- What a source said under each of its own keys; bounded per source.
create table source_signal (
    source_key         text    not null,
    dedup_key          text    not null,
    severity           integer not null,
    status             text    not null,
    texts              text    not null,
    labels             text    not null,
    open               integer not null,
    held               text    not null, -- why it was not let through; empty: people were told
    silence_id         text    not null, -- which silence or maintenance window held it
    alert_id           blob,             -- where people were told of it
    count              integer not null, -- how often it came while open
    changes            integer not null, -- how often it opened since changes_since_ms
    changes_since_ms   integer not null,
    settle_due_ms      integer,          -- flapping: when it counts as quiet again
    first_at_ms        integer not null,
    last_at_ms         integer not null,
    ended_at_ms        integer,
    primary key (source_key, dedup_key)
) strict, without rowid;
create index source_signal_by_alert on source_signal (alert_id, open);
create index source_signal_ended on source_signal (source_key, ended_at_ms, dedup_key) where open = 0;
create index source_signal_settling on source_signal (settle_due_ms, source_key, dedup_key) where settle_due_ms is not null;
create index source_signal_held on source_signal (held, silence_id, source_key, dedup_key) where held <> '' and open = 1;

-- Alerts that stand for many alarms.
create table source_bundle (
    alert_id           blob    primary key,
    scope              text    not null, -- whose alarms it gathers (sources::bundles)
    source_name        text    not null,
    severity           integer not null,
    count              integer not null,
    unlisted           integer not null, -- of these, open ones that have no row of their own
    newest             text    not null,
    told               integer not null, -- how many people were last told of
    told_at_ms         integer not null,
    last_at_ms         integer not null,
    window_ms          integer not null,
    tell_every_ms      integer not null,
    closes             integer not null,
    active             integer not null, -- takes more
    due_ms             integer           -- when it is to be looked at
) strict;
create index source_bundle_by_scope on source_bundle (scope, active);
create index source_bundle_due on source_bundle (due_ms, alert_id) where due_ms is not null;

-- Whom automatic alarms called in the last minutes, for the brake per person.
create table source_told (
    recipient_id       blob    not null,
    alert_id           blob    not null,
    severity           integer not null,
    at_ms              integer not null,
    primary key (recipient_id, alert_id)
) strict, without rowid;
create index source_told_by_time on source_told (at_ms, recipient_id, alert_id);

-- Silences and maintenance windows. They always end.
create table source_silence (
    silence_id         text    primary key,
    kind               text    not null,
    source_key         text    not null, -- empty: every source
    matchers           text    not null,
    from_ms            integer not null,
    until_ms           integer not null,
    reason             text    not null,
    made_by            text    not null,
    made_at_ms         integer not null,
    swallowed          integer not null,
    newest             text    not null,
    due_ms             integer           -- when its end is to be told; null: it was
) strict;
create index source_silence_due on source_silence (due_ms, silence_id) where due_ms is not null;

-- One row while nothing automatic may alarm.
create table source_stop (
    id                 integer primary key,
    since_ms           integer not null,
    until_ms           integer not null,
    reason             text    not null,
    made_by            text    not null,
    swallowed          integer not null
) strict;

-- One row once somebody set it.
create table source_settings (
    id                 integer primary key,
    person_alarms      integer not null,
    duty               text    not null
) strict;

-- A signal of a source whose open alert came from elsewhere, such as an island, is found by its key.
create index alert_by_open_key on alert (dedup_key) where state = 'open';
