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
    removed_by      text
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
