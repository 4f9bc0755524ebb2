-- Who was on call when an alert was raised to a schedule: whoever comes on duty while it runs is briefed and called.
create table alert_on_call (
    alert_id blob not null,
    schedule text not null,
    -- As a JSON list of ids, as it was at the raise; never changes.
    people text not null,
    -- Those on call when the alert was last looked at, in the same form.
    seen text not null,
    -- Those who came on duty since: when one of them says they are coming, others may go. Empty while nobody may.
    awaited text not null,
    -- What they said before is no word on this.
    since_ms integer not null,
    primary key (alert_id, schedule)
) strict, without rowid;

create index alert_on_call_awaited on alert_on_call (alert_id) where awaited <> '[]';
create index alert_on_call_schedule on alert_on_call (schedule);
