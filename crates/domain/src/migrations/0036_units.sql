-- Parts of the organisation. Written only by domain::units.
create table unit (
    key       text    primary key,
    name      text    not null,
    above     text,             -- key of the unit it is part of
    set_at_ms integer not null,
    set_by    text    not null
) strict, without rowid;

-- The unit somebody belongs to; null: none. Written only by domain::recipients.
alter table person add column unit text;
create index person_by_unit on person (unit) where unit is not null;

-- The unit an account is limited to; null: the whole organisation. Written only by domain::access.
alter table account add column unit text;
