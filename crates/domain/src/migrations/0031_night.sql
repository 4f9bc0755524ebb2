-- Ways in at night: devices known again, codes by text.
create index session_by_device on session (device_key);

-- A code texted for a sign-in. The code is nowhere: it is worked out from the cluster's secret and the delivery's id.
-- Written only by domain::access.
create table text_code (
    attempt_hash  blob    primary key,
    delivery_id   blob    not null,
    sent_at_ms    integer not null,
    expires_at_ms integer not null
) strict;
create index text_code_by_time on text_code (expires_at_ms);

-- Somebody from outside, let into the room of one alert until a time. The account of the same name lets them in. Written
-- only by domain::access.
create table guest (
    account       text    primary key,
    room_id       blob    not null, -- its alert's
    number        text    not null, -- where the code that lets them in was texted
    added_at_ms   integer not null,
    added_by      text    not null,
    expires_at_ms integer not null,
    ended_at_ms   integer,
    ended_by      text    not null  -- empty: not ended by hand
) strict;
create index guest_by_room on guest (room_id, added_at_ms);

-- A number of a person that somebody wants changed and somebody else has to vouch for. Written only by domain::passes.
create table number_change (
    person        text    primary key, -- key
    old_number    text    not null,    -- empty: they had none
    new_number    text    not null,
    asked_at_ms   integer not null,
    asked_by      text    not null,    -- the actor
    asked_name    text    not null,    -- as people read it
    expires_at_ms integer not null
) strict;

-- The number of a person that was changed last with a voucher. While it is new it proves nothing. Written only by
-- domain::recipients.
create table number_mark (
    recipient_id  blob    primary key,
    number        text    not null,
    changed_at_ms integer not null,
    asked_by      text    not null,
    vouched_by    text    not null,
    expires_at_ms integer not null
) strict;
