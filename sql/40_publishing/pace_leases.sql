-- private.lease_targets(worker, limit, since, busy, now) -> queue[]
-- Why:     two reasons to put a target that was just leased back unseen: what the platform allows is used up, and one
--          account's thousands of posts would take the places of another's single one.
-- Caller:  private.claim_targets(), before anything else happens to the leases.
-- Errors:  none.
-- Repeat:  each call leases other targets.
-- Locks:   worker (shared), queue rows, targets of those that are missed, budget rows in the order of their ids.
-- Counts:  a lease that is put back was never seen by a worker, so its attempt number is given out again.
-- Speed:   without an open window and without a surplus it costs one index probe and a look at a sample of a batch that was
--          filled to its limit. Whoever may have been sent already (sending_at) is never put back.

-- Tells the planner how many rows to expect of an array: a batch.
create function private.as_rows(p_leased private.queue[]) returns setof private.queue
language sql immutable security invoker rows 500 set search_path = '' as $$
  select * from unnest(p_leased)
$$;
comment on function private.as_rows(private.queue[]) is 'The elements of a batch as rows.';

create type private.lease_decision as (
  subject_id uuid,
  connection_id uuid,
  platform_id text,
  put_back_until timestamptz,
  is_missed boolean
);
comment on type private.lease_decision is
  'What becomes of a lease: put back until then, missed because the window ends too late, or neither: go on.';

-- Looking up every account of every batch would cost a tenth of a claim. A sample tells as well: whoever could delay
-- others fills a good part of the batch, and three of 32 belong to one account by chance only where there are few accounts.
-- An array instead of a join: whatever the statistics say, it is one index scan.
create function private.has_surplus(p_leased private.queue[], p_share int) returns boolean
language plpgsql stable security invoker set search_path = '' as $$
declare
  c_sample constant int := 32;
  v_step int := greatest(cardinality(p_leased) / c_sample, 1);
begin
  return cardinality(p_leased) > p_share and exists (
    select from public.post_targets t
    where t.id = any (array(
      select (p_leased[i]).subject_id from generate_series(1, cardinality(p_leased), v_step) i))
    group by t.connection_id having count(*) > 2);
end;
$$;
comment on function private.has_surplus(private.queue[], int) is
  'Whether one account seems to have more than its share of a batch; decide_leases() counts.';

create function private.hold_budgets(p_leased private.queue[], p_is_first boolean, p_now timestamptz) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_windows uuid[] := array(
    select b.id from private.platform_budgets b
    where b.resets_at > p_now and (b.connection_id is null or b.connection_id in (
      select t.connection_id from private.as_rows(p_leased) l join public.post_targets t on t.id = l.subject_id)));
begin
  if p_is_first then
    perform from private.platform_budgets b where b.id = any (v_windows) order by b.id for update;
    return true;
  end if;
  return (select count(*) = cardinality(v_windows) from (
    select from private.platform_budgets b where b.id = any (v_windows) for update skip locked) h);
end;
$$;
comment on function private.hold_budgets(private.queue[], boolean, timestamptz) is
  'Locks the windows that a batch may use, so that workers that claim at the same time share them out. Who holds some '
  'already does not wait for more: false, somebody else has one.';

-- The windows of the whole service are shared out among those that their own account's windows let through.
create function private.decide_leases(p_leased private.queue[], p_share int, p_busy uuid[], p_now timestamptz)
returns private.lease_decision[]
language plpgsql stable security invoker set search_path = '' as $$
declare
  v_spacing interval := private.setting_interval('claim_spacing');
  v_jitter interval := private.setting_interval('budget_jitter');
begin
  return array(with ranked as (
    select l.subject_id, l.due_at, t.connection_id, t.platform_id, l.expires_at,
           row_number() over (partition by t.connection_id order by l.due_at, l.subject_id) as rank
    from private.as_rows(p_leased) l join public.post_targets t on t.id = l.subject_id
    where l.sending_at is null
  ), by_account as (
    select r.*, (select max(b.resets_at) from private.platform_budgets b
                 where b.connection_id = r.connection_id and b.resets_at > p_now and b.remaining < r.rank) as closed_until
    from ranked r
  ), by_app as (
    select a.*, count(*) filter (where a.closed_until is null)
                  over (partition by a.platform_id order by a.due_at, a.subject_id) as app_rank
    from by_account a
  ), closed as (
    select a.*, coalesce(a.closed_until, (
             select max(b.resets_at) from private.platform_budgets b
             where b.connection_id is null and b.platform_id = a.platform_id and b.resets_at > p_now
               and b.remaining < a.app_rank)) as until
    from by_app a
  )
  select row(c.subject_id, c.connection_id, c.platform_id,
    case when c.until is not null then c.until + random() * v_jitter
         when c.rank > p_share or p_share is not null and c.connection_id = any (p_busy) then
           p_now + greatest(interval '0', least(
             greatest(c.rank - p_share, c.rank * (c.connection_id = any (p_busy))::int) * v_spacing,
             (c.expires_at - p_now) / 2)) end,
    c.until > c.expires_at)::private.lease_decision
  from closed c);
end;
$$;
comment on function private.decide_leases(private.queue[], int, uuid[], timestamptz) is
  'Which leases of a batch are put back, and until when. p_share: most of one account, where others wait; else NULL. '
  'p_busy: accounts of which the worker has enough in hand.';

-- What is probed was counted when it was sent.
create function private.reserve_budgets(p_leased private.queue[], p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  with used as materialized (
    select t.platform_id, t.connection_id, count(*) as posts
    from private.as_rows(p_leased) l join public.post_targets t on t.id = l.subject_id
    where l.sending_at is null group by 1, 2
  ), of_accounts as (
    update private.platform_budgets b set remaining = greatest(b.remaining - u.posts, 0)
    from used u where b.connection_id = u.connection_id and b.resets_at > p_now
  )
  update private.platform_budgets b set remaining = greatest(b.remaining - u.posts, 0)
    from (select x.platform_id, sum(x.posts) as posts from used x group by 1) u
    where b.platform_id = u.platform_id and b.connection_id is null and b.resets_at > p_now;
end;
$$;
comment on function private.reserve_budgets(private.queue[], timestamptz) is
  'Takes what is handed out now off the windows of the accounts and of the service.';

create function private.put_back(p_decisions private.lease_decision[], p_now timestamptz) returns uuid[]
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.queue q
    set worker_id = null, leased_at = null, attempt = q.attempt - 1, due_at = d.put_back_until
    from unnest(p_decisions) d
    where q.lane = 'publish' and q.subject_id = d.subject_id and d.put_back_until is not null
      and d.is_missed is not true;
  perform private.settle_targets(array(
    select private.verdict(d.subject_id, 'missed', 'NX438') from unnest(p_decisions) d where d.is_missed), p_now);
  return array(select d.subject_id from unnest(p_decisions) d where d.put_back_until is not null);
end;
$$;
comment on function private.put_back(private.lease_decision[], timestamptz) is
  'Puts leases back and ends those that would come too late; returns their targets.';

create function private.put_back_unseen(p_leased private.queue[]) returns void
language sql volatile security invoker set search_path = '' as $$
  update private.queue q set worker_id = null, leased_at = null, attempt = q.attempt - 1
    from unnest(p_leased) l where q.lane = l.lane and q.subject_id = l.subject_id
$$;
comment on function private.put_back_unseen(private.queue[]) is
  'Leaves leases to the next claim, which gives their attempt numbers out again.';

create function private.lease_targets(
  p_worker_id uuid, p_limit int, p_since timestamptz, p_busy uuid[], p_now timestamptz
) returns private.queue[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  c_rounds constant int := 50; -- so many batches of others are passed over at most to find somebody's single post
  v_is_limited boolean := exists (select from private.platform_budgets b where b.resets_at > p_now);
  v_share int := private.setting_int('claim_account_share');
  v_kept private.queue[] := '{}'::private.queue[];
  v_decisions private.lease_decision[] := '{}'::private.lease_decision[];
  v_leased private.queue[];
  v_is_full boolean;
  v_gone uuid[];
begin
  p_busy := coalesce(p_busy, '{}'); -- NULL would make every condition below unknown
  for v_round in 1 .. c_rounds loop
    v_leased := array(select l from private.lease_due(p_worker_id, 'publish', p_limit - cardinality(v_kept), p_since, p_now) l);
    v_is_full := cardinality(v_leased) = p_limit - cardinality(v_kept);
    exit when v_leased = '{}';
    if v_is_limited and not private.hold_budgets(v_leased, v_round = 1, p_now) then
      perform private.put_back_unseen(v_leased);
      exit;
    end if;
    v_kept := case when v_round = 1 then v_leased else v_kept || v_leased end;
    exit when not v_is_limited and not (
      v_is_full and (v_round > 1 or p_busy <> '{}' or private.has_surplus(v_kept, v_share)));
    v_decisions := private.decide_leases(v_kept, case when v_is_full then v_share end, p_busy, p_now);
    v_gone := private.put_back(v_decisions, p_now);
    v_kept := array(select k from unnest(v_kept) k where k.subject_id <> all (v_gone));
    exit when v_gone = '{}' or not v_is_full;
  end loop;
  if v_is_limited then
    perform private.reserve_budgets(v_kept, p_now);
  end if;
  return v_kept;
end;
$$;
comment on function private.lease_targets(uuid, int, timestamptz, uuid[], timestamptz) is
  'Leases due targets that may go on now; what is put back on the way makes room for what is due behind it.';

insert into private.settings (key, value, description) values
  ('claim_account_share', '25', 'So many targets of one account are handed out at once while others may be waiting.'),
  ('claim_spacing', '"200 milliseconds"', 'Each further target of that account is due again by so much later.'),
  ('budget_jitter', '"20 seconds"', 'Targets that wait for a new window come within this time after its start.');
