-- private.grant_reminders, private.remind_of_expiring_grants(now)
-- Why:     a grant that nobody can renew without the person (LinkedIn's 60 days, Instagram when renewing fails) is announced
--          14, 7, 3 and 1 days before it ends, so that no scheduled post meets a dead token.
-- Caller:  private.housekeeping(). Bounded by the setting housekeeping_batch.
-- Errors:  none.
-- Repeat:  safe: each step once per grant. When housekeeping was down for days, the steps that it missed are not made up
--          for: the person gets the one that is true now.
-- Locks:   none but the rows that it inserts.

create table private.grant_reminders (
  connection_id uuid not null references public.connections (id) on delete cascade,
  usable_until timestamptz not null,
  days int not null,
  reminded_at timestamptz not null,
  primary key (connection_id, usable_until, days),
  constraint days_are_positive check (days > 0)
);
comment on table private.grant_reminders is 'Which reminders a grant has had. A renewed grant ends at another time and begins anew.';

-- A token that renews itself (its own refresh token) is due for that before any reminder: it is news only when that fails.
create function private.ends_without_person(p_connection public.connections) returns boolean
language sql stable security invoker set search_path = '' as $$
  select v.sealed_refresh is null or v.refresh_expires_at is distinct from v.access_expires_at
         or (p_connection).last_error_code is not null
  from private.token_vault v where v.connection_id = (p_connection).id
$$;
comment on function private.ends_without_person(public.connections) is
  'Whether this grant will end at usable_until unless the person connects the account again.';

create function private.remind_of_expiring_grants(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_due record;
  v_count bigint := 0;
begin
  for v_due in
    select c.id, c.user_id, c.usable_until, s.days
    from public.connections c
    cross join lateral (select min(d) as days from unnest(array[14, 7, 3, 1]) d
                        where c.usable_until <= p_now + make_interval(days => d)) s
    where c.state = 'active' and c.usable_until > p_now and c.usable_until <= p_now + interval '14 days'
      and c.usable_until > c.connected_at + interval '15 days' -- a grant that is short by nature is no news
      and not exists (select from private.grant_reminders r
                      where r.connection_id = c.id and r.usable_until = c.usable_until and r.days <= s.days)
      and private.ends_without_person(c)
    order by c.usable_until limit private.setting_int('housekeeping_batch')
  loop
    insert into private.grant_reminders (connection_id, usable_until, days, reminded_at)
      values (v_due.id, v_due.usable_until, v_due.days, p_now);
    perform private.notify(v_due.user_id, 'connection_expires_soon', 'connection', v_due.id, 'days_' || v_due.days, p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.remind_of_expiring_grants(timestamptz) is
  'Housekeeping: 14, 7, 3 and 1 days before an account must be connected again, its person is told, each once.';

create function private.forget_reminders(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.grant_reminders r where r.usable_until < p_now - interval '30 days';
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_reminders(timestamptz) is 'Housekeeping: reminders of grants that ended a month ago.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('remind_of_expiring_grants', 'private.remind_of_expiring_grants', 230),
  ('forget_reminders', 'private.forget_reminders', 231);
