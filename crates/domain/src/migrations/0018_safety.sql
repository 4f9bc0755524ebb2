-- 0018_safety.sql: safety checks, answers that lapse, reminders (domain::alerts, domain::escalation).
alter table alert add column kind text not null default 'alert'; -- safety_check: everyone is to say how they are

alter table called_person add column word text not null default 'given'; -- asked: to confirm; lapsed: counts no more
alter table called_person add column reminded integer not null default 0; -- reminders sent while silent
create index called_person_silent on called_person (alert_id) where answer = '';

-- What is to be done next about somebody called: one row while there is something.
create table call_timer (
    alert_id     blob    not null,
    recipient_id blob    not null,
    what         text    not null, -- remind, confirm, lapse
    due_ms       integer not null,
    primary key (alert_id, recipient_id)
) strict, without rowid;
create index call_timer_due on call_timer (due_ms, alert_id);

-- What others say of somebody called: the last word of each of them.
create table safety_mark (
    alert_id     blob    not null,
    recipient_id blob    not null,
    marked_by    text    not null, -- as the marker is called
    mark         text    not null, -- safe, need_help, not_on_site
    at_ms        integer not null,
    via          text    not null, -- the key or operator who sent it
    primary key (alert_id, recipient_id, marked_by)
) strict, without rowid;
