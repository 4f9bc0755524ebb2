-- Break-glass cards: printed codes in sealed envelopes that let somebody in when every other way is gone. Written only by
-- domain::passes.
create table glass_card (
    card_id         text    primary key, -- public, on the paper and in lists
    site            text    not null,    -- where the envelope lies
    code_hash       blob    not null,
    made_at_ms      integer not null,
    made_by         text    not null,
    confirmed_at_ms integer,             -- null: opens nothing yet
    confirmed_by    text    not null,
    used_at_ms      integer,
    used_on         text    not null,    -- the device, as whoever used it calls it
    session_id      text    not null,    -- what it opened
    ended_at_ms     integer,             -- revoked, or replaced by a newer one
    ended_by        text    not null,
    epoch           integer not null
) strict;
create index glass_card_by_code on glass_card (code_hash);
create index glass_card_by_session on glass_card (session_id);

-- When a session last looked at what asks for its owner after a pause; 0: never.
alter table session add column looked_at_ms integer not null default 0;
