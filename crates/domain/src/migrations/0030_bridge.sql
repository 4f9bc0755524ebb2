-- 0030_bridge.sql: rooms followed by text and mail; written only by domain::bridge. Each history's own.
create table room_follower ( -- how far somebody who follows a room from outside was told
    room_id      blob    not null,
    recipient_id blob    not null,
    since_ms     integer not null, -- of the word by which they follow; another one begins anew
    told         integer not null, -- up to and with this message
    seen         integer not null, -- looked at up to and with this message
    waiting      integer not null, -- messages of others among those seen and not told
    due_at_ms    integer,          -- when they are told next; null: nothing waits
    held         text    not null, -- why what was due waits: '', 'person', 'room' or 'unreachable'
    primary key (room_id, recipient_id)
) strict, without rowid;

create table room_digest ( -- what left to followers
    delivery_id  blob    primary key,
    room_id      blob    not null,
    recipient_id blob    not null,
    at_ms        integer not null,
    shown        integer not null, -- messages whose words are in it
    left_out     integer not null  -- messages that are only counted in it
) strict;
create index room_digest_of_person on room_digest (recipient_id, at_ms);
create index room_digest_of_room on room_digest (room_id, at_ms);

create index room_member_outside on room_member (recipient_id, room_id) where member and follow <> 'app';
