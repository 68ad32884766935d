-- Whoever is signed in may ask what a local time comes to.

grant execute on function private.resolve_local_time(timestamp, text, text) to authenticated;
grant execute on function public.resolve_local_time(timestamp, text, text) to authenticated;
