-- 0029_audit.sql: who did what, as a chain of hashes (domain::audit), and what nodes sign of it.

create table audit (
    seq            integer primary key,
    epoch          integer not null,
    at_ms          integer not null,
    node           text    not null, -- n3; island:n3 for what came home from an island
    actor          text    not null,
    assurance      text    not null,
    action         text    not null,
    object         text    not null,
    outcome        text    not null,
    request        blob    not null,
    details_commit blob    not null, -- empty: there are no details
    hash           blob    not null  -- of this entry, with the hash of the one before in it
) strict;

-- What may name people. An erased row leaves the chain as it was: that holds a salted hash.
create table audit_details (
    seq     integer primary key,
    salt    blob    not null,
    details text    not null -- a JSON object
) strict;

-- Up to where every node is to sign, and since when.
create table audit_mark (
    id    integer primary key, -- 1
    seq   integer not null,
    at_ms integer not null
) strict;

-- The last one of each hour.
create table audit_checkpoint (
    node_id   integer not null,
    epoch     integer not null,
    hour      integer not null,
    seq       integer not null,
    head      blob    not null,
    signature blob    not null,
    at_ms     integer not null,
    primary key (node_id, epoch, hour)
) strict, without rowid;

-- Entries of islands: on their way into the chain, then only that they are in it.
create table audit_island (
    fact_key blob    primary key,
    at_ms    integer not null,
    fact     blob    not null, -- empty once it is in the chain
    seq      integer           -- its place there
) strict, without rowid;
create index audit_island_waiting on audit_island (at_ms, fact_key) where seq is null;

-- Ed25519, 32 bytes: what the node signs the chain with.
alter table node add column audit_key blob;
