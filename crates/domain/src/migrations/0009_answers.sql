-- 0009_answers.sql: when a step is answered enough, and what follows when it never is (domain::escalation).
alter table escalation add column policy text not null default '{}'; -- JSON: frozen at the raise
alter table escalation add column taken_over integer not null default 0; -- somebody acknowledged
alter table escalation add column hurry integer not null default 0; -- the next step does not wait for its time
alter table escalation add column woken_ms integer not null default 0; -- no step before this: it seemed answered until then
