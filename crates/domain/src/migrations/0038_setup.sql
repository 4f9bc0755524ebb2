-- That a cluster was set up: one row, once somebody said so. Written only by domain::setup.
create table setup (
    id             integer primary key,
    finished_at_ms integer not null,
    finished_by    text    not null
) strict;
