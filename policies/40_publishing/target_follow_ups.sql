-- People read their own follow-ups, and add, edit and remove those that are not out, of targets that are not on their way
-- or done (P3.6). Ids and times are the workers'.

alter table public.target_follow_ups enable row level security;
grant select, delete on public.target_follow_ups to authenticated;
grant insert (id, user_id, target_id, position, body) on public.target_follow_ups to authenticated;
grant update (position, body) on public.target_follow_ups to authenticated;
create policy target_follow_ups_select_owner on public.target_follow_ups for select to authenticated
  using ((select auth.uid()) = user_id);
create policy target_follow_ups_insert_owner on public.target_follow_ups for insert to authenticated
  with check ((select auth.uid()) = user_id and external_id is null and exists (
    select from public.post_targets t where t.id = target_id
      and t.state in ('draft', 'scheduled', 'failed', 'missed', 'cancelled')));
create policy target_follow_ups_update_owner on public.target_follow_ups for update to authenticated
  using ((select auth.uid()) = user_id and external_id is null)
  with check ((select auth.uid()) = user_id and external_id is null and exists (
    select from public.post_targets t where t.id = target_id
      and t.state in ('draft', 'scheduled', 'failed', 'missed', 'cancelled')));
create policy target_follow_ups_delete_owner on public.target_follow_ups for delete to authenticated
  using ((select auth.uid()) = user_id and external_id is null and exists (
    select from public.post_targets t where t.id = target_id
      and t.state in ('draft', 'scheduled', 'failed', 'missed', 'cancelled')));
create policy target_follow_ups_all_usable_account on public.target_follow_ups as restrictive for all to authenticated
  using ((select private.account_is_usable()));
