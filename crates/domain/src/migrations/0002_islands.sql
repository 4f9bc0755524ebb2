-- 0002_islands.sql: a node alone, its numbers and codes, and what the cluster makes of its facts.

-- Empty in the cluster's state; one row in the copy an island works on (domain::nodes).
create table fork (
    id            integer primary key,
    node_id       integer not null,
    site          text    not null, -- as texts and screens name it
    letter        text    not null, -- before the numbers of its alerts: B-7
    slot          text    not null, -- first digit of its codes
    entered_at_ms integer not null,
    base_index    integer not null  -- last log entry of the copy
) strict;

-- Numbers given by islands: B-7 is node B's, for ever (domain::alerts).
create table alert_label (
    alert_id blob    not null,
    origin   integer not null, -- node
    counter  integer not null,
    label    text    not null,
    primary key (alert_id, origin, counter)
) strict, without rowid;
create index alert_label_by_text on alert_label (label);
create index alert_label_by_origin on alert_label (origin, counter);
create index alert_by_time on alert (raised_at_ms, number, alert_id);
create index alert_by_state_and_time on alert (state, raised_at_ms, number, alert_id);
alter table alert add column joined_at_ms integer;
alter table alert add column joined_by text not null default '';

-- Codes a person holds for an alert beside the one in called_person (domain::escalation).
create table call_code (
    alert_id     blob not null,
    recipient_id blob not null,
    code         text not null,
    primary key (alert_id, recipient_id, code)
) strict, without rowid;
create index call_code_by_code on call_code (code);
create index called_person_answered on called_person (alert_id, recipient_id) where answer <> '';
alter table escalation add column hold_until_ms integer not null default 0; -- an island waits for others to do it

-- Texts whose code an island does not know, until somebody does (domain::inbound).
create index inbound_text_elsewhere on inbound_text (received_at_ms) where taken = 'code_elsewhere';

-- Facts that wait for what they are about, and facts nothing could be made of (domain::islands).
create table orphan_fact (
    fact_hash  blob    primary key,
    wants      blob    not null, -- the alert or delivery
    origin     integer not null,
    fact       blob    not null,
    kept_at_ms integer not null
) strict, without rowid;
create index orphan_fact_by_want on orphan_fact (wants);
create table refused_fact (
    fact_hash     blob    primary key,
    origin        integer not null,
    kind          text    not null,
    about         text    not null,
    reason        text    not null,
    fact          blob    not null,
    refused_at_ms integer not null
) strict, without rowid;
