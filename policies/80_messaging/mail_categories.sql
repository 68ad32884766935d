-- Everybody who is signed in reads the categories.

alter table private.mail_templates enable row level security;

alter table public.mail_categories enable row level security;
revoke all on public.mail_categories from public, anon, authenticated, service_role;
grant select on public.mail_categories to authenticated;
create policy mail_categories_select_signed_in on public.mail_categories for select to authenticated
  using ((select private.session_is_live()));
