-- 0033_files.sql: files in rooms; the bytes lie beside the state. Written only by domain::files. The cluster's own only.
create table file (
    file_id         blob    primary key,
    room_id         blob    not null,
    sha256          blob    not null,
    size            integer not null, -- bytes
    kind            text    not null,
    name            text    not null,
    caption         text    not null,
    restricted      integer not null,
    author          text    not null,
    recipient_id    blob,
    actor           text    not null, -- who may send the bytes
    announced_at_ms integer not null,
    ends_at_ms      integer,          -- an announcement ends then; null once the bytes have come
    message_id      blob,             -- the message that shows it; null until the bytes have come
    removed_at_ms   integer,
    removed_by      text,
    document        text              -- the document it is; null of most
) strict;
create index file_of_message on file (message_id) where message_id is not null;
create index file_of_room on file (room_id, announced_at_ms, file_id);
create index file_by_bytes on file (sha256);
create index file_ends on file (ends_at_ms) where ends_at_ms is not null;

create table file_copy ( -- which nodes say they hold the bytes
    sha256  blob    not null,
    node_id integer not null,
    at_ms   integer not null,
    primary key (sha256, node_id)
) strict, without rowid;

create table document ( -- plans and instructions; written only by domain::documents
    key       text    primary key,
    title     text    not null,
    file_id   blob    not null,
    owner     text    not null, -- key of a person; empty: nobody yet
    review_by integer,          -- days since 1970-01-01
    templates text    not null, -- keys, as JSON
    kit       integer not null,
    version   integer not null, -- counts the files it has been
    set_at_ms integer not null,
    set_by    text    not null
) strict;
