-- Reference rows: whoever is signed in reads them, nobody changes them.

alter table public.notification_texts enable row level security;
grant select on public.notification_texts to authenticated;
create policy notification_texts_select_signed_in on public.notification_texts for select to authenticated
  using ((select private.session_is_live()));
