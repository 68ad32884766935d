-- People import posts of their own.

grant execute on function private.import_posts(jsonb, text, text, uuid, timestamptz) to authenticated;
grant execute on function private.import_posts_csv(text, text, text, uuid, timestamptz) to authenticated;
grant execute on function public.import_posts(jsonb, text, text, uuid) to authenticated;
grant execute on function public.import_posts_csv(text, text, text, uuid) to authenticated;
