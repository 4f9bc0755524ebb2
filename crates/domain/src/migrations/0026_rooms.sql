-- 0026_rooms.sql: what people say to each other beside single messages; written only by domain::conversations.
create table room ( -- everyday rooms; an alert's room needs no row
    room_id      blob    primary key,
    key          text    not null,
    opened_at_ms integer not null,
    opened_by    text    not null,
    name         text    not null,
    restricted   integer not null,
    closed       integer not null,
    set_at_ms    integer not null,
    set_by       text    not null
) strict;

create table room_member ( -- those added by name; people called to an alert are in its room without a row
    room_id      blob    not null,
    recipient_id blob    not null,
    member       integer not null,
    follow       text    not null, -- 'app', 'sms' or 'email'
    at_ms        integer not null,
    by_whom      text    not null,
    primary key (room_id, recipient_id)
) strict, without rowid;

create table room_read ( -- how far somebody has read
    room_id      blob    not null,
    recipient_id blob    not null,
    message_id   blob    not null,
    at_ms        integer not null,
    primary key (room_id, recipient_id)
) strict, without rowid;

create table message_more ( -- what a message says beside its text
    message_id   blob    primary key,
    room_id      blob    not null,
    recipient_id blob,
    restricted   integer not null,
    mentions     text    not null
) strict;

create table message_edit ( -- later wordings; the original stays in message
    edit_id    blob    primary key,
    message_id blob    not null,
    at_ms      integer not null,
    by_whom    text    not null,
    text       text    not null
) strict;
create index message_edit_of on message_edit (message_id, at_ms, edit_id);

create table message_mark ( -- diary, decision, minutes
    mark_id    blob    primary key,
    message_id blob    not null,
    kind       text    not null,
    at_ms      integer not null,
    by_whom    text    not null,
    text       text    not null, -- the wording that was marked
    unknown    text    not null,
    salt       blob    not null
) strict;
create index message_mark_of on message_mark (message_id, at_ms, mark_id);

create table message_pin (
    message_id blob    primary key,
    room_id    blob    not null,
    pinned     integer not null,
    at_ms      integer not null,
    by_whom    text    not null
) strict;
create index message_pin_of on message_pin (room_id, pinned);

create table room_chain ( -- each history's own: in the order in which marks came to be known there
    room_id     blob    not null,
    number      integer not null,
    entry_id    blob    not null, -- the mark or the edit
    message_id  blob    not null,
    kind        text    not null,
    author      text    not null,
    by_whom     text    not null,
    at_ms       integer not null,
    text        text    not null,
    unknown     text    not null,
    salt        blob    not null,
    previous    blob    not null,
    hash        blob    not null,
    primary key (room_id, number)
) strict, without rowid;
create index room_chain_of on room_chain (message_id, entry_id);
