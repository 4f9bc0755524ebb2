-- Passkeys: public halves of keys that people's devices hold for signing in. Written only by domain::access.
create table passkey (
    credential_id blob    primary key,
    account       text    not null,
    label         text    not null, -- as its owner calls it
    public_key    blob    not null, -- the point on P-256, uncompressed
    sign_count    integer not null, -- of uses, as the authenticator counts; 0: it does not count
    added_at_ms   integer not null,
    used_at_ms    integer
) strict;
create index passkey_by_account on passkey (account);

-- Challenges that were answered: none is answered twice.
create table passkey_challenge (
    hash  blob    primary key,
    at_ms integer not null
) strict, without rowid;
create index passkey_challenge_by_time on passkey_challenge (at_ms);
