-- 0020_limits.sql: when a second person must agree (domain::limits), and what waited or waits for one (domain::approvals).

create table second_person (
    id               integer primary key, -- 1
    people_over      integer,
    parts_over       integer,
    micros_over      integer,
    critical_at_once integer not null,
    ask              text    not null     -- JSON array of names
) strict;

create table approval (
    number          integer primary key,
    alert_id        blob    not null,    -- the alert it would become, is, or would have become
    state           text    not null,
    payload         blob    not null,    -- the raise with who asked for it; empty once decided
    severity        integer not null,
    status          text    not null,
    texts           text    not null,    -- JSON array of pairs: language, text
    source          text    not null,
    people          integer not null,
    sms_parts       integer not null,
    why             text    not null,    -- JSON array: why a second person must agree
    asked_by        text    not null,
    asked_at_ms     integer not null,
    release_from_ms integer not null,    -- from when whoever asked may let it go alone
    due_ms          integer,             -- when those who are asked are reminded, or it lapses
    reminded        integer not null,
    wrong_codes     integer not null,    -- given over HTTP
    decided_by      text    not null,
    decided_as      text    not null,    -- the name they gave
    decided_at_ms   integer,
    reason          text    not null,
    to_review       integer not null,    -- it went without a second person's word
    reviewed_by     text    not null,
    reviewed_as     text    not null,
    reviewed_at_ms  integer,
    review_note     text    not null
) strict;
create index approval_by_state on approval (state, number);
create index approval_by_alert on approval (alert_id, number);
create index approval_due on approval (due_ms, number) where due_ms is not null;
create index approval_to_review on approval (number) where to_review = 1 and reviewed_at_ms is null;

-- What each person who was asked answers with.
create table approval_code (
    number       integer not null,
    recipient_id blob    not null,
    code         text    not null,
    primary key (number, recipient_id)
) strict, without rowid;
create index approval_code_by_code on approval_code (code, number);
