-- 0020_limits.sql: budgets of SMS and when a second person must agree (domain::limits), what waited or waits for one
-- (domain::approvals), numbers no text goes to (domain::recipients).

create table budget (
    account         text    primary key,
    day_parts       integer,
    day_micros      integer,
    month_parts     integer,
    month_micros    integer,
    reserve_percent integer not null
) strict, without rowid;

-- Sums over the tries that left or may have left, by the civil day and month in which they ended.
create table budget_spent (
    account      text    not null,
    period       text    not null, -- day, month
    number       integer not null,
    parts        integer not null,
    micros       integer not null,
    alone_parts  integer not null, -- an island's own
    alone_micros integer not null,
    primary key (account, period, number)
) strict, without rowid;

create table budget_payer (
    alert_id blob primary key,
    account  text not null
) strict, without rowid;

create table barred_prefix (
    prefix text primary key,
    what   text not null -- as people read it
) strict, without rowid;

-- Satellite networks, international networks and premium rates: ITU-T E.164 assigned codes, and numbering plans of the
-- countries whose languages are spoken here. Data like any other: people change it.
insert into barred_prefix (prefix, what) values
    ('+870', 'satellite (Inmarsat)'),
    ('+878', 'universal personal'),
    ('+881', 'satellite'),
    ('+882', 'international network'),
    ('+883', 'international network'),
    ('+888', 'disaster relief'),
    ('+979', 'international premium rate'),
    ('+358600', 'premium rate'),
    ('+358700', 'premium rate'),
    ('+46900', 'premium rate'),
    ('+46939', 'premium rate'),
    ('+46944', 'premium rate'),
    ('+449', 'premium rate');

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
