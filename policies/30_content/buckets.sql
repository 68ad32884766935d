-- Files are reached by their person alone, or through a URL that the person had signed (P3.3, P3.6).
-- A media file is never overwritten, and it stays as long as a row of public.media names it: what was checked when a
-- post was scheduled is what is published. An avatar may be replaced.

grant execute on function private.object_name_is_safe(text) to authenticated;

drop policy if exists nexora_objects_select_owner on storage.objects;
create policy nexora_objects_select_owner on storage.objects for select to authenticated
  using (bucket_id in ('media', 'avatars') and (storage.foldername(name))[1] = (select auth.uid())::text
         and private.object_name_is_safe(name) and (select private.account_is_usable()));

drop policy if exists nexora_objects_insert_owner on storage.objects;
create policy nexora_objects_insert_owner on storage.objects for insert to authenticated
  with check (bucket_id in ('media', 'avatars') and (storage.foldername(name))[1] = (select auth.uid())::text
              and private.object_name_is_safe(name) and (select private.account_is_usable()));

drop policy if exists nexora_objects_update_owner on storage.objects;
create policy nexora_objects_update_owner on storage.objects for update to authenticated
  using (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text
         and private.object_name_is_safe(name) and (select private.account_is_usable()))
  with check (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text
              and private.object_name_is_safe(name) and (select private.account_is_usable()));

drop policy if exists nexora_objects_delete_owner on storage.objects;
create policy nexora_objects_delete_owner on storage.objects for delete to authenticated
  using (bucket_id in ('media', 'avatars') and (storage.foldername(name))[1] = (select auth.uid())::text
         and private.object_name_is_safe(name) and (select private.account_is_usable())
         and not exists (select from public.media m where m.object_name = objects.name and objects.bucket_id = 'media'));
