-- People move their own targets; the body asks whose they are.

grant execute on function private.move_target(uuid, timestamptz, int, boolean, uuid, timestamptz) to authenticated;
grant execute on function public.move_target(uuid, timestamptz, int, boolean, uuid) to authenticated;
