-- private.publish_attempts
-- Why:     one row per lease of a target: who had it, when it was sent, how it ended. Evidence for late reports, and what
--          operators look at. No content: codes and keys only (P1.11).
-- Caller:  claim, report and settle write; late reports read.
-- Speed:   append-only, partitioned, no foreign keys; see target_events.sql.

create table private.publish_attempts (
  target_id uuid not null,
  attempt int not null,
  finished_at timestamptz not null,
  user_id uuid not null,
  worker_id uuid,
  claimed_at timestamptz,
  sending_at timestamptz,
  outcome text not null,
  code text,
  http_status int,
  platform_key text,
  primary key (target_id, attempt, finished_at)
) partition by range (finished_at);
comment on table private.publish_attempts is 'How each attempt to publish ended.';
comment on column private.publish_attempts.sending_at is 'When the irreversible call began; NULL: nothing was sent.';
comment on column private.publish_attempts.outcome is
  'published, retry, rejected, unknown, unconfirmed, released, reconnect, cancelled, disconnected, refused or lease_lost.';
comment on column private.publish_attempts.platform_key is 'What the platform can be asked for, such as a container id.';

insert into private.partitioned_tables (table_name, retention) values ('private.publish_attempts', '13 months');
select private.ensure_partitions();

-- The target counts an attempt when it ends, or when it takes longer (state publishing).
create function private.is_unreported(p_target public.post_targets, p_attempt int) returns boolean
language sql stable security invoker set search_path = '' as $$
  select (p_target.attempt < p_attempt or p_target.state = 'publishing')
     and not exists (select from private.publish_attempts a where a.target_id = p_target.id and a.attempt = p_attempt)
$$;
comment on function private.is_unreported(public.post_targets, int) is
  'Whether a lease of this attempt was lost and is not written down yet.';
