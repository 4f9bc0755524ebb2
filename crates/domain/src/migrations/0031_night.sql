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
