-- Digests of rooms by when they left, so that old ones are forgotten without looking at all of them.
create index room_digest_by_time on room_digest (at_ms);
