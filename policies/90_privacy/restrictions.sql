-- A restriction is lifted by its person alone.

grant execute on function private.lift_restriction(timestamptz) to authenticated;
grant execute on function public.lift_restriction() to authenticated;
