-- 0001_spine.sql: the tables of the first release. Ids are 16-byte blobs; times are cluster time in milliseconds.
-- Sets that grow (states, kinds, purposes) carry no check: apply is the guard.

-- One row: the stamp of the last applied entry (domain::apply).
create table stamp (
    id       integer primary key,
    stamp_ms integer not null
) strict;
insert into stamp (id, stamp_ms) values (1, 0);

-- Commands that could not be applied (domain::apply).
create table defect (
    log_index  integer primary key,
    request_id blob    not null,
    code       text    not null,
    at_ms      integer not null
) strict;

-- Outcomes of outside requests, so that a retry applies once (domain::requests).
create table request (
    request_id    blob    primary key,
    body          blob    not null,
    outcome       blob    not null,
    applied_at_ms integer not null
) strict, without rowid;
create index request_by_age on request (applied_at_ms);

-- One row once founded (domain::nodes).
create table cluster (
    id           integer primary key,
    cluster_id   blob    not null,
    organisation text    not null,
    next_node_id integer not null,
    founded_at_ms integer not null
) strict;

create table node (
    node_id            integer primary key,
    name               text    not null,
    pins               blob    not null, -- 32 bytes each
    addresses          text    not null, -- JSON array
    admitted_at_ms     integer not null,
    removed_at_ms      integer,
    reachable          integer not null,
    reachable_since_ms integer not null
) strict;

create table invite (
    token_hash    blob    primary key,
    expires_at_ms integer not null,
    used_by       integer
) strict, without rowid;

create table channel (
    node_id        integer not null,
    name           text    not null,
    kind           text    not null,
    up             integer not null,
    reason         text    not null,
    operator       text    not null,
    number         text    not null,
    signal_dbm     integer,
    rate_per_min   integer not null,
    changed_at_ms  integer not null,
    reported_at_ms integer not null,
    primary key (node_id, name)
) strict, without rowid;

-- domain::access
create table api_key (
    key_id        text    primary key,
    name          text    not null,
    secret_hash   blob    not null,
    scopes        text    not null, -- JSON array
    created_at_ms integer not null,
    created_by    text    not null,
    expires_at_ms integer,
    revoked_at_ms integer
) strict, without rowid;

-- domain::recipients
create table person (
    recipient_id  blob    primary key,
    key           text    not null,
    name          text    not null,
    language      text    not null,
    updated_at_ms integer not null,
    removed_at_ms integer
) strict, without rowid;
create index person_by_key on person (key);

create table contact_method (
    recipient_id blob    not null,
    position     integer not null,
    kind         text    not null,
    address      text    not null,
    primary key (recipient_id, position)
) strict, without rowid;
create index contact_method_by_address on contact_method (address);

create table person_group (
    group_id blob primary key,
    key      text not null,
    name     text not null
) strict, without rowid;
create index person_group_by_key on person_group (key);

create table group_member (
    group_id     blob    not null,
    position     integer not null,
    recipient_id blob    not null,
    primary key (group_id, position)
) strict, without rowid;
create index group_member_by_person on group_member (recipient_id);

-- domain::deliveries
create table delivery (
    delivery_id     blob    primary key,
    alert_id        blob    not null, -- all zero: about no alert
    recipient_id    blob    not null, -- all zero: a number nobody here has
    purpose         text    not null,
    step            integer not null,
    round           integer not null,
    method          integer not null, -- position among the person's contact methods
    kind            text    not null,
    address         text    not null,
    language        text    not null,
    lane            integer not null, -- 0 leaves first
    critical        integer not null,
    state           text    not null,
    reason          text    not null,
    code            text    not null,
    subject         text    not null,
    body            text    not null, -- empty: the frozen text of (alert, purpose, language, kind)
    possible_repeat integer not null,
    renumbered      integer not null, -- goes out from another number than before
    awaiting        integer not null, -- the person's answer is still wanted
    attempts        integer not null,
    avoid_node      integer not null, -- 0: none
    avoid_channel   text    not null,
    prefer_node     integer not null default 0, -- replies leave from the number that was written to
    prefer_channel  text    not null default '',
    created_at_ms   integer not null,
    wanted_since_ms integer not null, -- since when a channel is looked for
    due_at_ms       integer not null,
    expires_at_ms   integer not null,
    ended_at_ms     integer
) strict, without rowid;
create index delivery_waiting on delivery (state, lane, due_at_ms, delivery_id) where ended_at_ms is null;
create index delivery_by_alert on delivery (alert_id, recipient_id, method);
create index delivery_by_expiry on delivery (expires_at_ms) where ended_at_ms is null;

create table attempt (
    delivery_id    blob    not null,
    attempt        integer not null,
    node_id        integer not null,
    channel        text    not null,
    number         text    not null, -- the number answers would go to
    state          text    not null,
    detail         text    not null,
    parts          integer not null,
    text_hash      blob    not null,
    wall_ms        integer not null,
    assigned_at_ms integer not null,
    ended_at_ms    integer,
    report         text    not null,
    reported_at_ms integer,
    primary key (delivery_id, attempt)
) strict, without rowid;
create index attempt_under_way on attempt (node_id, channel) where state = 'assigned';
create index attempt_accepted on attempt (node_id, channel, delivery_id) where state = 'accepted';

create table delivery_text (
    alert_id blob not null,
    purpose  text not null,
    language text not null,
    kind     text not null,
    subject  text not null,
    body     text not null,
    primary key (alert_id, purpose, language, kind)
) strict, without rowid;

-- domain::conversations; the room of an alert has the alert's id, all zero is the duty inbox
create table message (
    message_id blob    primary key,
    room_id    blob    not null,
    sequence   integer not null,
    author     text    not null,
    via        text    not null,
    text       text    not null,
    at_ms      integer not null
) strict, without rowid;
create index message_by_room on message (room_id, sequence);

-- domain::escalation
create table escalation (
    alert_id        blob    primary key,
    phase           text    not null,
    critical        integer not null,
    lane            integer not null,
    started_at_ms   integer not null,
    delays_ms       text    not null, -- JSON array, one per step
    last_pages      text    not null, -- JSON array: number of the last page of each step
    step            integer not null,
    round           integer not null,
    review          integer not null,
    repeats         integer not null,
    repeat_every_ms integer not null,
    validity_ms     integer not null,
    content         text    not null, -- JSON: what texts are made from
    needed          integer not null,
    coming          integer not null,
    satisfied       integer not null,
    next_page       integer not null,
    call_off_end    integer not null, -- one past the call-off's last page
    next_action     text    not null, -- empty once closed
    next_due_ms     integer not null
) strict, without rowid;
create index escalation_due on escalation (next_due_ms, lane, alert_id) where next_action <> '';

create table escalation_page (
    alert_id   blob    not null,
    page       integer not null,
    step       integer not null,
    recipients blob    not null, -- 16 bytes each
    primary key (alert_id, page)
) strict, without rowid;

create table called_person (
    alert_id       blob    not null,
    recipient_id   blob    not null,
    position       integer not null,
    step           integer not null,
    code           text    not null,
    answer         text    not null, -- empty: silent
    answered_at_ms integer,
    answered_from  text    not null,
    called_at_ms   integer not null,
    closed_at_ms   integer,
    primary key (alert_id, recipient_id)
) strict, without rowid;
create index called_person_by_code on called_person (code);
create index called_person_by_person on called_person (recipient_id, closed_at_ms);
create index called_person_in_order on called_person (alert_id, position);

-- domain::alerts
create table alert (
    alert_id       blob    primary key,
    number         integer not null,
    severity       integer not null, -- 0 low … 3 critical
    status         text    not null, -- actual, exercise, test
    state          text    not null, -- open, resolved, called_off, joined
    texts          text    not null, -- JSON array of [language, text]
    gather         text    not null,
    source         text    not null,
    dedup_key      text    not null,
    raised_by      text    not null,
    raised_at_ms   integer not null,
    issued_by      integer not null,
    aware_at_ms    integer not null,
    acknowledged_at_ms integer,
    acknowledged_by text   not null,
    closed_at_ms   integer,
    closed_by      text    not null,
    note           text    not null,
    joined_into    blob,
    people         integer not null
) strict, without rowid;
create index alert_by_number on alert (number);
create index alert_by_state on alert (state, number);

-- domain::inbound
create table inbound_text (
    inbound_key    blob    primary key,
    node_id        integer not null,
    channel        text    not null,
    sender         text    not null,
    text           text    not null,
    sent_at_ms     integer,
    received_at_ms integer not null,
    wall_ms        integer not null,
    recipient_id   blob,
    alert_id       blob,
    taken          text    not null, -- what it was taken for
    replied        integer not null, -- a reply was queued
    damaged        integer not null
) strict, without rowid;
create index inbound_text_by_sender on inbound_text (sender, received_at_ms);
