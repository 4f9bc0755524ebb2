-- Which certificate authorities members' certificates may stand under; empty while the founding one was never replaced.
create table authority (
    place       integer primary key,
    certificate blob    not null,
    issuing     integer not null,
    set_at_ms   integer not null
) strict;
