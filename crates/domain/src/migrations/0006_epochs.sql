-- 0006_epochs.sql: histories of a cluster that lost its majority (domain::nodes). A new epoch begins when one surviving
-- node, or a backup, is made the start of a new membership; whoever belonged to the old one is fenced.
alter table cluster add column epoch integer not null default 1;
alter table cluster add column outbox_paused_at_ms integer;
alter table cluster add column outbox_reason text not null default '';
alter table node add column epoch integer not null default 1; -- in which the id was given out
alter table node add column left_how text not null default ''; -- removed, evicted or fenced; empty while a member

-- What a survivor signed when it began an epoch: shown to members of the epoch before, so that they stop.
create table succession (
    epoch     integer primary key, -- the one that began
    statement blob    not null,
    at_ms     integer not null
) strict;
