-- People change occurrences of their own series; the bodies ask whose they are.

grant execute on function private.list_occurrences(uuid) to authenticated;
grant execute on function private.skip_occurrence(uuid, int, timestamptz) to authenticated;
grant execute on function private.prepare_occurrence(uuid, int, timestamptz) to authenticated;
grant execute on function public.list_occurrences(uuid) to authenticated;
grant execute on function public.skip_occurrence(uuid, int) to authenticated;
grant execute on function public.prepare_occurrence(uuid, int) to authenticated;
