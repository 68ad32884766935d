-- Whoever is signed in checks own posts; the body asks whose they are.

grant execute on function private.check_post(uuid, timestamptz) to authenticated;
grant execute on function public.check_post(uuid) to authenticated;
