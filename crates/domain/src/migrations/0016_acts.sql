-- 0016_acts.sql: changes to a running alert, each an act with a name (domain::alerts), and what follows for its plan
-- (domain::escalation).
create table alert_act (
    act_id   blob    primary key,
    alert_id blob    not null,
    at_ms    integer not null,
    by_whom  text    not null,
    content  text    not null, -- JSON
    reason   text    not null
) strict, without rowid;
create index alert_act_of on alert_act (alert_id, at_ms, act_id);

-- People an alert does not call any more, until they answer or are added again.
create table left_out (
    alert_id     blob    not null,
    recipient_id blob    not null,
    since_ms     integer not null,
    primary key (alert_id, recipient_id)
) strict, without rowid;

alter table escalation add column paused_until_ms integer not null default 0; -- no step or round before this
