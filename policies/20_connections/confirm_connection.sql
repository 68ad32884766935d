-- Whoever is signed in; the body asks whether the account may, and whose code it is.

grant execute on function private.confirm_connection(text, timestamptz) to authenticated;
grant execute on function public.confirm_connection(text) to authenticated;
