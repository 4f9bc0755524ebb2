-- 0025_source_redirects.sql: whom a source's alarms call for a while instead (domain::sources::redirect).
create table source_redirect (
    source_key  text    primary key,
    target_kind text    not null, -- person, group or schedule
    target_key  text    not null,
    until_ms    integer,          -- null: until it is taken back
    reason      text    not null,
    made_at_ms  integer not null,
    made_by     text    not null
) strict;
