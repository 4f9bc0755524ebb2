-- 0021_readiness.sql: what nodes hang on (domain::nodes), and when a text last reached a number (domain::recipients).

alter table machine add column provider   text not null default '';
alter table machine add column operator   text not null default '';
alter table machine add column feed       text not null default '';
alter table machine add column hypervisor text not null default '';

alter table contact_method add column delivered_at_ms integer; -- the network's last word that a text reached it
