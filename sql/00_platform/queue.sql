-- private.queue, private.dead_letters; enqueue, dequeue, lease_due, next_due, release_dead_leases
-- Why:     one hot table for everything that is due at some time. It holds no payload, so that its rows stay small and
--          work can be claimed in batches far faster than any platform takes it.
-- Caller:  bodies in schema private, of all contexts.
-- Errors:  none: claiming without a live worker returns nothing.
-- Repeat:  safe.
-- Locks:   the worker's row (private.hold_worker), then queue rows. Claims skip rows that are locked.
-- Speed:   no column that a claim writes is in an index, and each page has room for the two versions that a claim and a
--          mark add to every row, so that they are HOT updates and indexes stay as they are, even while an old snapshot
--          keeps the dead versions from being removed. No triggers and no foreign keys: a row is an id and times.

create table private.queue (
  subject_id uuid not null,
  due_at timestamptz not null,
  expires_at timestamptz,
  leased_at timestamptz,
  sending_at timestamptz,
  sending_attempt int,
  worker_id uuid,
  attempt int not null default 0,
  lane text not null,
  again_at timestamptz,
  progress jsonb,
  primary key (subject_id, lane),
  constraint leased_by_a_worker check ((worker_id is null) = (leased_at is null)),
  constraint sending_needs_an_attempt check ((sending_at is null) = (sending_attempt is null))
) with (
  fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.2
);
create index queue_lane_due_at_idx on private.queue (lane, due_at) with (fillfactor = 80);

comment on table private.queue is 'Work that is due at some time; gone when done. History is kept elsewhere.';
comment on column private.queue.lane is 'Which kind of work. The pair (lane, subject_id) names one piece of it.';
comment on column private.queue.expires_at is 'After this it must not be begun any more; NULL: never too late.';
comment on column private.queue.attempt is
  'Counts leases since the work was scheduled. Together with worker_id it fences off late reports.';
comment on column private.queue.sending_at is 'When an irreversible call began whose outcome is not known yet.';
comment on column private.queue.sending_attempt is 'The attempt that began it. Later ones find out what became of it.';
comment on column private.queue.again_at is 'Asked for again while leased: becomes due then instead of being deleted.';
comment on column private.queue.progress is 'What the next attempt needs to go on: upload sessions, container ids.';

create table private.dead_letters (
  id uuid primary key default gen_random_uuid(),
  lane text not null,
  subject_id uuid not null,
  attempts int not null,
  last_code text not null,
  died_at timestamptz not null,
  constraint code_is_no_text check (last_code ~ '^[A-Za-z0-9_.:-]{1,64}$')  -- P1.11
);
create index dead_letters_died_at_idx on private.dead_letters (died_at);
comment on table private.dead_letters is 'Work that was given up. Each row is an alarm.';

create function private.enqueue(p_lane text, p_subject uuid, p_due timestamptz, p_now timestamptz default now())
returns void
language sql volatile security invoker set search_path = '' as $$
  insert into private.queue as q (lane, subject_id, due_at) values (p_lane, p_subject, greatest(p_due, p_now))
  on conflict (lane, subject_id) do update set
    due_at = case when q.worker_id is null then excluded.due_at else q.due_at end,
    again_at = case when q.worker_id is null then null else excluded.due_at end,
    attempt = case when q.worker_id is null and q.sending_at is null then 0 else q.attempt end,
    progress = case when q.worker_id is null and q.sending_at is null then null else q.progress end
$$;
comment on function private.enqueue(text, uuid, timestamptz, timestamptz) is
  'Schedules work, or reschedules it from attempt 0. While it is leased, only what happens after the lease changes.';

create function private.dequeue(p_lane text, p_subject uuid) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from private.queue where lane = p_lane and subject_id = p_subject;
  return found;
end;
$$;
comment on function private.dequeue(text, uuid) is
  'Takes work back, leased or not; a worker that holds it is fenced off.';
