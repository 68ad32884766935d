-- Whoever is signed in checks own posts; the body asks whose they are.

grant execute on function private.check_schedule(uuid, timestamptz, timestamptz) to authenticated;
grant execute on function public.check_schedule(uuid, timestamptz) to authenticated;
