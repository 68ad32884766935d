-- People read the history of their own targets; the trigger alone writes it (P3.6).

alter table public.target_events enable row level security;
grant select on public.target_events to authenticated;
create policy target_events_select_owner on public.target_events for select to authenticated
  using ((select auth.uid()) = user_id);
create policy target_events_all_usable_account on public.target_events as restrictive for all to authenticated
  using ((select private.account_is_usable()));
