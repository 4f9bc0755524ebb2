-- 0027_mail_answers.sql: answers by mail: the secret of reply addresses, and which of them were used.
create table reply_secret (
    id     integer primary key,
    secret blob    not null
) strict;

create table reply_used ( -- each history's own; written by domain::inbound
    delivery_id blob    primary key,
    inbound_key blob    not null,
    at_ms       integer not null
) strict;
