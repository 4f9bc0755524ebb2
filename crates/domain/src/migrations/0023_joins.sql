-- 0023_joins.sql: every alert that one was joined into (domain::alerts).

-- Histories that knew nothing of each other may have joined an alert into several; the earliest join stands, and answers
-- count in all of them.
create table alert_join (
    alert_id blob not null,
    into_id  blob not null,
    primary key (alert_id, into_id)
) strict, without rowid;
insert into alert_join (alert_id, into_id) select alert_id, joined_into from alert where joined_into is not null;
