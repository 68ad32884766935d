-- Whoever is signed in starts a connection; the body asks whether the account may.

grant execute on function private.begin_connection(text, text[], text, uuid, timestamptz) to authenticated;
grant execute on function public.begin_connection(text, text[], text, uuid) to authenticated;
