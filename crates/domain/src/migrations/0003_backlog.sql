-- 0003_backlog.sql: finding what waited so long that nobody should get it one by one (domain::islands::backlog).
create index delivery_untold on delivery (wanted_since_ms, recipient_id)
    where awaiting = 1 and state in ('pending', 'expired') and purpose = 'page';
