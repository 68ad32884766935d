-- private.accounts
-- Why:     whether an account may be used, and the birth date that decides it, apart from the profile: nobody else,
--          not even its owner, reads the date itself through the API.
-- Caller:  bodies of this context.
--
-- States:  incomplete         signed up through another service; the birth date is missing
--          awaiting_guardian  between 13 and 18 without a guardian's consent (P9.2)
--          active             may use everything
--          restricted         open to its person's rights alone, because they want it so (P7.7)
--          locked             closed by the service or on its way to erasure
-- Moves:   sign-up → incomplete | awaiting_guardian | active; incomplete → awaiting_guardian | active
--          (complete_sign_up); awaiting_guardian ↔ active (consent, its revocation, the 18th birthday); any ↔ restricted;
--          any ↔ locked.

create table private.accounts (
  user_id uuid primary key references auth.users (id) on delete cascade,
  birth_date date,
  state text not null,
  guardian_consent_at timestamptz,
  locked_at timestamptz,
  restricted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint state_is_known check (state in ('incomplete', 'awaiting_guardian', 'active', 'restricted', 'locked')),
  constraint incomplete_until_birth_date_is_known check (
    state in ('restricted', 'locked') or (state = 'incomplete') = (birth_date is null)),
  constraint locked_has_a_time check ((state = 'locked') = (locked_at is not null)),
  constraint restriction_shows_in_the_state check (
    state = 'locked' or (state = 'restricted') = (restricted_at is not null)),
  constraint birth_date_is_plausible check (birth_date >= '1900-01-01')
);
create index accounts_restricted_idx on private.accounts (user_id) where restricted_at is not null;
create index accounts_awaiting_guardian_idx on private.accounts (birth_date) where state = 'awaiting_guardian';

create trigger _200_touch before update on private.accounts
  for each row execute function private.tg_touch_updated_at();

comment on table private.accounts is 'One row per person: may the account be used, and since when.';
comment on column private.accounts.birth_date is
  'Decides P9.1 and P9.2, and nothing else. People see their year alone.';
comment on column private.accounts.restricted_at is
  'Since when nobody works with this person''s data, at their request; it outlasts a lock that is taken back.';
comment on column private.accounts.guardian_consent_at is 'When a guardian''s consent that still stands was recorded.';

create function private.account_state(
  p_birth_date date, p_guardian_consent_at timestamptz, p_now timestamptz default now()
) returns text
language sql immutable security invoker set search_path = '' as $$
  select case
    when p_birth_date is null then 'incomplete'
    when private.age_in_years(p_birth_date, p_now) < 18 and p_guardian_consent_at is null then 'awaiting_guardian'
    else 'active'
  end
$$;
comment on function private.account_state(date, timestamptz, timestamptz) is
  'The state that birth date and consent lead to, for an account that is not locked (P9.2).';

create function private.activate_adults(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_user uuid;
  v_count bigint := 0;
begin
  for v_user in
    update private.accounts a set state = 'active'
    where a.state = 'awaiting_guardian' and a.birth_date <= (p_now at time zone 'utc')::date - interval '18 years'
      and private.account_state(a.birth_date, null, p_now) = 'active'
    returning a.user_id
  loop
    perform private.audit('account_came_of_age', 'account', v_user, p_now := p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.activate_adults(timestamptz) is 'Housekeeping: people who turned 18 need no guardian.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('activate_adults', 'private.activate_adults', 110);
