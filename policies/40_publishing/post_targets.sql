-- People read their own targets, add drafts, edit text and options until a worker has them, and remove what is neither
-- on its way nor on the platform. Everything else goes through functions (P3.6).

alter table public.post_targets enable row level security;
grant select, delete on public.post_targets to authenticated;
grant insert (id, user_id, post_id, connection_id, text, options, tolerance) on public.post_targets to authenticated;
grant update (text, options, tolerance) on public.post_targets to authenticated;
create policy post_targets_select_owner on public.post_targets for select to authenticated
  using ((select auth.uid()) = user_id);
create policy post_targets_insert_owner on public.post_targets for insert to authenticated
  with check ((select auth.uid()) = user_id and state = 'draft' and scheduled_at is null);
create policy post_targets_update_owner on public.post_targets for update to authenticated
  using ((select auth.uid()) = user_id and state in ('draft', 'scheduled'))
  with check ((select auth.uid()) = user_id);
create policy post_targets_delete_owner on public.post_targets for delete to authenticated
  using ((select auth.uid()) = user_id and state in ('draft', 'cancelled', 'failed', 'missed'));
create policy post_targets_all_usable_account on public.post_targets as restrictive for all to authenticated
  using ((select private.account_is_usable()));
