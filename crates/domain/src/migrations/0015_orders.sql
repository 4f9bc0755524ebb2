-- 0015_orders.sql: answers with a time, and orders by text (domain::escalation, domain::inbound).
alter table called_person add column eta_min integer; -- minutes after the answer until they are there

-- Orders that wait for their code, and what became of them.
create table text_order (
    sender        text    not null, -- only this number may send the code back
    code          text    not null,
    recipient_id  blob    not null, -- who ordered
    verb          text    not null,
    asked         text    not null, -- the text
    deed          blob    not null, -- what will be done, as it was shown
    alert_id      blob,             -- what it is about, or made
    state         text    not null, -- waiting, done, dropped, void
    tries         integer not null, -- wrong codes so far
    asked_at_ms   integer not null,
    expires_at_ms integer not null,
    ended_at_ms   integer,
    primary key (sender, code)
) strict, without rowid;
create index text_order_by_time on text_order (asked_at_ms, sender, code);

-- Who may order by text: JSON array of names such as group:duty and schedule:net.
create table text_commander (
    id   integer primary key,
    whom text    not null
) strict;

create index inbound_text_by_time on inbound_text (received_at_ms, inbound_key);
