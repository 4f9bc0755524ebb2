-- 0008_machines.sql: clocks, disks and power of the members, civil time, digests (domain::nodes).

-- What each node said last of the machine under it.
create table machine (
    node_id         integer primary key,
    civil_offset_ms integer not null, -- wall clock minus cluster time
    moved_ms        integer not null, -- jumps of cluster time since the civil offset was set
    resumed_at_ms   integer,          -- started anew since the civil offset was set; null: not
    clock_source    text    not null,
    synchronised    integer,
    clock_since_ms  integer not null, -- since when source and synchronisation are as they are
    disk            text    not null,
    disk_free_mb    integer not null,
    power           text    not null,
    runtime_s       integer,
    power_since_ms  integer not null,
    reported_at_ms  integer not null
) strict;

-- Civil time minus cluster time, and since when.
create table civil_offset (
    log_index integer primary key,
    since_ms  integer not null,
    offset_ms integer not null,
    set_at_ms integer not null,
    set_by    text    not null,
    agreeing  integer not null,
    members   integer not null,
    spread_ms integer not null
) strict;
create index civil_offset_by_time on civil_offset (since_ms, log_index);

-- The newest place in the log at which replicas digest their state: one row.
create table digest_mark (
    id        integer primary key,
    log_index integer not null,
    at_ms     integer not null
) strict;

-- What each replica's state came to there.
create table digest (
    node_id        integer primary key,
    log_index      integer not null,
    schema         integer not null,
    digest         blob    not null,
    reported_at_ms integer not null
) strict;
