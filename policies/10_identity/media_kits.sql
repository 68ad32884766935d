-- People read and edit their own media kit, rates and links, once the account may be used.

alter table public.media_kits enable row level security;
revoke all on public.media_kits from anon, authenticated, service_role;
grant select on public.media_kits to authenticated;
grant update (headline, about, contact_email, audience, is_published) on public.media_kits to authenticated;

create policy media_kits_select_owner on public.media_kits for select to authenticated
  using (user_id = (select auth.uid()));
create policy media_kits_update_owner on public.media_kits for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy media_kits_all_usable_account on public.media_kits as restrictive for all to authenticated
  using ((select private.account_is_usable()));

alter table public.media_kit_rates enable row level security;
revoke all on public.media_kit_rates from anon, authenticated, service_role;
grant select, delete on public.media_kit_rates to authenticated;
grant insert (user_id, platform_id, format, amount_minor, currency) on public.media_kit_rates to authenticated;
grant update (platform_id, format, amount_minor, currency) on public.media_kit_rates to authenticated;

create policy media_kit_rates_select_owner on public.media_kit_rates for select to authenticated
  using (user_id = (select auth.uid()));
create policy media_kit_rates_insert_owner on public.media_kit_rates for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy media_kit_rates_update_owner on public.media_kit_rates for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy media_kit_rates_delete_owner on public.media_kit_rates for delete to authenticated
  using (user_id = (select auth.uid()));
create policy media_kit_rates_all_usable_account on public.media_kit_rates as restrictive for all to authenticated
  using ((select private.account_is_usable()));

alter table public.social_links enable row level security;
revoke all on public.social_links from anon, authenticated, service_role;
grant select, delete on public.social_links to authenticated;
grant insert (user_id, platform, url) on public.social_links to authenticated;
grant update (platform, url) on public.social_links to authenticated;

create policy social_links_select_owner on public.social_links for select to authenticated
  using (user_id = (select auth.uid()));
create policy social_links_insert_owner on public.social_links for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy social_links_update_owner on public.social_links for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy social_links_delete_owner on public.social_links for delete to authenticated
  using (user_id = (select auth.uid()));
create policy social_links_all_usable_account on public.social_links as restrictive for all to authenticated
  using ((select private.account_is_usable()));
