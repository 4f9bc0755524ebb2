-- The feature level the cluster uses, and the one each node's program knows (DESIGN A11).
alter table cluster add column level integer not null default 1;
alter table node add column level integer not null default 1;
