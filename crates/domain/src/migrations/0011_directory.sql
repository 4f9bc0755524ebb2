-- 0011_directory.sql: what is known of people, groups by rule and within groups, imports that wait (domain::recipients).

alter table person add column kind           text    not null default 'internal';
alter table person add column duty           integer not null default 0;
alter table person add column more_languages text    not null default '[]'; -- JSON array
alter table person add column zone           text    not null default '';
alter table person add column tags           text    not null default '[]'; -- JSON array, as are the next two
alter table person add column skills         text    not null default '[]';
alter table person add column sites          text    not null default '[]';
alter table person add column hours          text    not null default ''; -- Mon-Fri 08:00-16:00
alter table person add column never_voice    integer not null default 0;
alter table person add column wake_by        text    not null default ''; -- key; empty: nobody
alter table person add column answer_minutes integer;
alter table person add column note           text    not null default '';

alter table contact_method add column found       text not null default 'unverified';
alter table contact_method add column found_how   text not null default '';
alter table contact_method add column found_at_ms integer;

-- Kind, tags, skills and sites once more, the way rules look for them.
create table person_label (
    kind         text not null,
    value        text not null,
    recipient_id blob not null,
    primary key (kind, value, recipient_id)
) strict, without rowid;
create index person_label_by_person on person_label (recipient_id);

-- Groups named by groups; positions are shared with group_member.
create table group_inner (
    group_id blob    not null,
    position integer not null,
    inner_id blob    not null,
    primary key (group_id, position)
) strict, without rowid;
create index group_inner_by_inner on group_inner (inner_id);

create table group_criterion (
    group_id blob    not null,
    part     text    not null, -- all, any
    position integer not null,
    kind     text    not null,
    value    text    not null,
    primary key (group_id, part, position)
) strict, without rowid;

create table directory_import (
    import_id     blob    primary key,
    source        text    not null,
    asked_by      text    not null,
    asked_at_ms   integer not null,
    expires_at_ms integer not null,
    state         text    not null, -- done, waiting, approved, rejected, expired, replaced
    reasons       text    not null, -- JSON array: why it waits
    people        integer not null, -- how many it adds or changes
    absent        integer not null, -- how many it would remove
    applied       integer not null, -- how many people it came to
    decided_by    text    not null,
    decided_at_ms integer,
    payload       blob    not null  -- the import as it waits; empty once decided
) strict, without rowid;
create index directory_import_by_age on directory_import (asked_at_ms, import_id);

-- One row while imports are frozen.
create table import_freeze (
    id        integer primary key,
    reason    text    not null,
    frozen_by text    not null,
    since_ms  integer not null
) strict;

create table allowed_prefix (
    prefix text primary key
) strict, without rowid;

insert into person_label (kind, value, recipient_id)
    select 'kind', 'internal', recipient_id from person where removed_at_ms is null order by recipient_id;
