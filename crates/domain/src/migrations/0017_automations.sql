-- 0017_automations.sql: what templates say shall follow from answers (domain::automations).

-- Automations of an alert, frozen when it was raised.
create table automation (
    alert_id blob    not null,
    number   integer not null, -- place in the template, from 1
    rule     text    not null, -- JSON
    among    text    not null, -- JSON: the people whose answers count, or null for everyone
    due_ms   integer,          -- when it is looked at, if it goes by time
    over     integer not null, -- it fired, or never will
    primary key (alert_id, number)
) strict, without rowid;
create index automation_due on automation (due_ms, alert_id, number) where over = 0 and due_ms is not null;
create index automation_waiting on automation (alert_id, number) where over = 0;

-- Automations that fired.
create table automation_fired (
    alert_id blob    not null,
    number   integer not null,
    at_ms    integer not null,
    cause    text    not null,
    did      text    not null, -- JSON array of sentences
    primary key (alert_id, number)
) strict, without rowid;

alter table alert_template add column unread integer not null default 0; -- its automations are not taken up yet
create index alert_template_unread on alert_template (alert_id) where unread = 1;
alter table escalation add column stirred integer not null default 0; -- answers changed since automations looked
