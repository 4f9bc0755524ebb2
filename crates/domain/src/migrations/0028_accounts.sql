-- Accounts of people, how they show who they are, and where they are signed in. Written only by domain::access.
create table account (
    name                 text    primary key,
    shown                text    not null,
    person               text,             -- key of the person it belongs to
    roles                text    not null, -- JSON array of names
    disabled_at_ms       integer,
    created_at_ms        integer not null,
    created_by           text    not null,
    password             text,             -- PHC string, Argon2id
    password_at_ms       integer,
    totp_sealed          blob,             -- sealed under a key of the cluster that is not in the state
    totp_confirmed_at_ms integer,
    totp_step            integer not null  -- the last step that opened something
) strict;

create table invitation (
    code_hash     blob    primary key,
    account       text    not null,
    created_at_ms integer not null,
    created_by    text    not null,
    expires_at_ms integer not null,
    used_at_ms    integer,
    epoch         integer not null
) strict;
create index invitation_by_account on invitation (account);

create table recovery_code (
    code_hash  blob    primary key,
    account    text    not null,
    made_at_ms integer not null,
    used_at_ms integer,
    epoch      integer not null
) strict;
create index recovery_code_by_account on recovery_code (account);

create table sign_in_attempt (
    attempt_hash  blob    primary key,
    account       text    not null,
    device_name   text    not null,
    device_key    blob    not null,
    started_at_ms integer not null,
    tries         integer not null
) strict;

create table session (
    session_id   text    primary key,
    token_hash   blob    not null unique,
    account      text    not null,
    device_name  text    not null,
    device_key   blob    not null,
    factors      text    not null, -- what opened it
    opened_at_ms integer not null,
    seen_at_ms   integer not null,
    proved_at_ms integer not null, -- when its owner last showed a factor
    ended_at_ms  integer,
    ended_by     text    not null, -- empty: not ended
    epoch        integer not null
) strict;
create index session_by_account on session (account, ended_at_ms);

-- How often something was tried: passwords, codes. Also for names nobody has.
create table try_count (
    kind            text    not null,
    subject         blob    not null,
    since_ms        integer not null,
    tries           integer not null,
    closed_until_ms integer,
    primary key (kind, subject)
) strict, without rowid;
create index try_count_by_time on try_count (since_ms);
