-- People see their own addresses without the secret; they are made and revoked by functions (P3.6).

alter table public.calendar_feeds enable row level security;
revoke all on public.calendar_feeds from public, anon, authenticated, service_role;
grant select on public.calendar_feeds to authenticated;
create policy calendar_feeds_select_owner on public.calendar_feeds for select to authenticated
  using ((select auth.uid()) = user_id);
create policy calendar_feeds_all_usable_account on public.calendar_feeds as restrictive for all to authenticated
  using ((select private.account_is_usable()));

alter table private.calendar_tokens enable row level security;

grant execute on function private.create_calendar_feed(text, timestamptz) to authenticated;
grant execute on function private.revoke_calendar_feed(uuid) to authenticated;
grant execute on function public.create_calendar_feed(text) to authenticated;
grant execute on function public.revoke_calendar_feed(uuid) to authenticated;
