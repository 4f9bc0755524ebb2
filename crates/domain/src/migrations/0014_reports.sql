-- 0014_reports.sql: what anybody reported, and what those on duty made of it (domain::reports).
create table report (
    number         integer primary key,
    who            text    not null,
    kind           text    not null, -- how the reporter is reached: sms, email, or empty
    contact        text    not null,
    language       text    not null,
    what           text    not null,
    via            text    not null, -- how it came
    at_ms          integer not null,
    taken_by       text    not null,
    state          text    not null,
    due_ms         integer,          -- waiting: when it comes back
    decided_at_ms  integer,
    decided_by     text    not null,
    reason         text    not null,
    duty_alert     blob,             -- by which duty was told of it
    alert_id       blob              -- convened: the alert it became
) strict;
create index report_by_state on report (state, number);
create index report_due on report (due_ms, number) where due_ms is not null;
create index report_convened on report (alert_id) where state = 'convened';
