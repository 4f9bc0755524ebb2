-- 0012_templates.sql: prepared alerts (domain::templates), and from which one an alert was raised (domain::alerts).

create table template (
    key            text    primary key,
    version        integer not null, -- the newest
    archived_at_ms integer,
    archived_by    text    not null
) strict, without rowid;

-- Versions never change; unused ones beyond a bound are forgotten, oldest first.
create table template_version (
    key       text    not null,
    version   integer not null,
    author    text    not null,
    put_at_ms integer not null,
    starter   integer not null, -- as the starter pack has it
    used      integer not null, -- an alert was raised from it
    content   text    not null, -- JSON
    primary key (key, version)
) strict, without rowid;

-- What a text costs and may link to: one row.
create table text_policy (
    id           integer primary key,
    link_hosts   text    not null, -- JSON array
    price_micros integer,          -- of one SMS part; null: not known
    currency     text    not null
) strict;

-- What a template gave an alert, frozen at the raise.
create table alert_template (
    alert_id blob    primary key,
    template text    not null,
    version  integer not null,
    frozen   text    not null -- JSON
) strict, without rowid;
