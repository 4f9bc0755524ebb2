-- 0019_waking.sql: that modems hear each other, which numbers people should know, and whose phones wake (domain::waking).

-- When each node's modem texts the next one.
create table round_trip_plan (
    node_id integer primary key,
    due_ms  integer not null
) strict;

create table round_trip (
    node_id       integer not null, -- whose modem sent it
    started_at_ms integer not null,
    to_node       integer not null, -- 0: no other node has a modem
    token         text    not null,
    due_ms        integer not null, -- by when it should have come
    arrived_at_ms integer,
    primary key (node_id, started_at_ms)
) strict, without rowid;
create index round_trip_by_token on round_trip (token) where arrived_at_ms is null;

-- The numbers on the card people keep.
create table card_number (
    node_id integer not null,
    channel text    not null,
    number  text    not null,
    primary key (node_id, channel)
) strict, without rowid;

create table spare_number (
    position integer primary key,
    number   text not null
) strict;

-- One row once there is a card.
create table card (
    id            integer primary key,
    version       integer not null, -- one more with each change of a number
    changed_at_ms integer not null
) strict;

create table wake_test (
    number     integer primary key,
    people     text    not null, -- JSON array of ids, hexadecimal
    started_by text    not null,
    state      text    not null, -- waiting, asked, called_off
    due_ms     integer not null,
    valid_ms   integer not null  -- for how long a yes counts
) strict;
create index wake_test_due on wake_test (due_ms) where state = 'waiting';

-- One row for each phone that was ever tested.
create table wake_proof (
    recipient_id  blob    not null,
    address       text    not null,
    test          integer not null,
    code          text    not null, -- empty once answered
    asked_at_ms   integer not null,
    answer        text    not null, -- yes, no; empty: silent
    answered_at_ms integer,
    proven_at_ms  integer,          -- the last yes, unless a no came since
    expires_at_ms integer,
    primary key (recipient_id, address)
) strict, without rowid;
create index wake_proof_by_code on wake_proof (code) where code <> '';
