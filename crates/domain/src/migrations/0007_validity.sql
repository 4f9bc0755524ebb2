-- 0007_validity.sql: how long a page is worth sending, kept apart from when it ends, so that sending it again from another
-- number gives it the same time once more and never a growing one (domain::deliveries).
alter table delivery add column validity_ms integer not null default 0; -- pages only; nothing else is sent again
update delivery set validity_ms = expires_at_ms - created_at_ms where purpose = 'page';
