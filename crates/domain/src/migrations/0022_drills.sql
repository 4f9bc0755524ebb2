-- Drills have a brake of their own, so that an exercise holds nothing back that is real.
alter table source_told add column status text not null default 'actual';
