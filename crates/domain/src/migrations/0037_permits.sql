-- What one administrator alone does not do. Written only by domain::permits.
create table permit (
    number       integer primary key,
    method       text    not null,
    path         text    not null,
    body         text    not null, -- as it will be sent
    digest       blob    not null, -- SHA-256 of the three
    reason       text    not null,
    asked_by     text    not null,
    asked_name   text    not null,
    asked_at_ms  integer not null,
    let_by       text    not null, -- empty: nobody yet
    let_at_ms    integer,
    used_at_ms   integer,
    dropped_by   text    not null,
    dropped_at_ms integer,
    epoch        integer not null
) strict;
create index permit_by_digest on permit (digest);
