-- 0010_oncall.sql: time-zone rules (domain::zones) and who is on call (domain::oncall).

-- TZif files by name; rows never go away.
create table zone (
    name    text primary key,
    version text not null,
    tzif    blob not null
) strict;

-- The newest release of which everything is installed: one row.
create table zone_release (
    id              integer primary key,
    version         text    not null,
    zones           integer not null,
    installed_at_ms integer not null,
    installed_by    text    not null
) strict;

-- Wall times are minutes since 1970-01-01T00:00 on the wall of the schedule's zone.
create table schedule (
    schedule_key  text    primary key,
    name          text    not null,
    zone          text    not null,
    updated_at_ms integer not null,
    updated_by    text    not null
) strict;

create table schedule_layer (
    schedule_key text    not null,
    position     integer not null, -- 0 is the uppermost
    name         text    not null,
    rotation     text    not null, -- grows with versions: apply is the guard
    lengths      text    not null, -- JSON: how many hours, days or weeks; minutes of each shift for custom ones
    start_wall   integer not null,
    until_wall   integer,
    turns        text    not null, -- JSON: keys of people, turn by turn
    windows      text    not null, -- JSON: days, from, to
    primary key (schedule_key, position)
) strict, without rowid;

create table fixed_shift (
    schedule_key text    not null,
    position     integer not null,
    from_wall    integer not null,
    to_wall      integer not null,
    person_key   text    not null,
    uid          text    not null,
    primary key (schedule_key, position)
) strict, without rowid;
create index fixed_shift_by_end on fixed_shift (to_wall, schedule_key, position);

create table schedule_override (
    schedule_key text    not null,
    number       integer not null,
    swap         integer not null, -- the swap it came from; 0: none
    from_wall    integer not null,
    to_wall      integer not null,
    instead      text    not null, -- JSON: keys of people
    of_person    text,             -- null: everyone
    reason       text    not null,
    made_at_ms   integer not null,
    made_by      text    not null,
    primary key (schedule_key, number)
) strict, without rowid;
create index schedule_override_by_end on schedule_override (to_wall, schedule_key, number);

-- At most one per schedule.
create table schedule_redirect (
    schedule_key text    primary key,
    from_wall    integer not null,
    to_wall      integer,
    target_kind  text    not null,
    target_key   text    not null,
    reason       text    not null,
    made_at_ms   integer not null,
    made_by      text    not null
) strict;

create table shift_swap (
    schedule_key  text    not null,
    number        integer not null,
    state         text    not null,
    give_person   text    not null,
    give_from_ms  integer not null, -- civil time, as the plan showed it
    give_to_ms    integer not null,
    take_person   text    not null,
    take_from_ms  integer not null,
    take_to_ms    integer not null,
    reason        text    not null,
    proposed_at_ms integer not null,
    proposed_by   text    not null,
    settled_at_ms integer,
    settled_by    text    not null, -- empty while it is open
    primary key (schedule_key, number)
) strict, without rowid;

create table calendar_feed (
    feed_id       text    primary key,
    subject_kind  text    not null,
    subject_key   text    not null,
    secret_hash   blob    not null,
    created_at_ms integer not null,
    created_by    text    not null,
    revoked_at_ms integer
) strict;
