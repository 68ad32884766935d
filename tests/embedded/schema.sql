-- What the tests of the embedded stack need: one table, five functions, three buckets. Runs as role `postgres`.
create table public.notes (
  id int primary key,
  owner uuid not null default auth.uid(),
  body text,
  rank int,
  sealed bytea
);
alter table public.notes enable row level security;
revoke all on public.notes from public, anon, authenticated, service_role;
grant select (id, owner, body, sealed), insert (id, body, sealed), update (body) on public.notes to authenticated;
grant all on public.notes to service_role;
create policy notes_select_owner on public.notes for select to authenticated using (owner = (select auth.uid()));
create policy notes_insert_owner on public.notes for insert to authenticated with check (owner = (select auth.uid()));
create policy notes_update_owner on public.notes for update to authenticated using (owner = (select auth.uid()));

create function public.fail_with(p_code text) returns void language plpgsql set search_path = '' as $$
begin
  raise exception 'it failed' using errcode = p_code, detail = 'the detail', hint = 'the hint';
end;
$$;
create function public.current_timeout() returns text language sql stable set search_path = '' as $$
  select current_setting('statement_timeout')
$$;
create function public.sleep(p_seconds float8) returns void language sql set search_path = '' as $$
  select pg_sleep(p_seconds)
$$;
create function public.who_am_i() returns jsonb language sql stable set search_path = '' as $$
  select jsonb_build_object('uid', auth.uid(), 'role', auth.role(), 'user', current_user, 'jwt', auth.jwt() ->> 'sub')
$$;
revoke execute on function public.fail_with(text), public.current_timeout(), public.sleep(float8), public.who_am_i() from public;
grant execute on function public.fail_with(text), public.current_timeout(), public.sleep(float8), public.who_am_i()
  to anon, authenticated, service_role;

create schema private;
create function private.before_user_created(p_event jsonb) returns jsonb language sql set search_path = '' as $$
  select case when p_event #>> '{user,user_metadata,handle}' = 'unwanted' and current_user = 'supabase_auth_admin'
              then '{"error": {"http_code": 403, "message": "Not you"}}' else '{}' end::jsonb
$$;
grant usage on schema private to supabase_auth_admin;
grant execute on function private.before_user_created(jsonb) to supabase_auth_admin;

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('private', 'private', false, null, null),
  ('limited', 'limited', false, 1000, array['text/plain', 'image/*']),
  ('open', 'open', true, null, null);
create policy objects_select_owner on storage.objects for select to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text);
create policy objects_insert_owner on storage.objects for insert to authenticated
  with check ((storage.foldername(name))[1] = (select auth.uid())::text);
create policy objects_update_owner on storage.objects for update to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text)
  with check ((storage.foldername(name))[1] = (select auth.uid())::text);
create policy objects_delete_owner on storage.objects for delete to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text);
