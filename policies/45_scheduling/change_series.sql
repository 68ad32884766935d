-- People start and end series of their own posts; the bodies ask whose they are.

grant execute on function private.create_series(uuid, text, date, time, text, text[], uuid, timestamptz) to authenticated;
grant execute on function private.end_series(uuid, boolean, timestamptz) to authenticated;
grant execute on function public.create_series(uuid, text, date, time, text, text[], uuid) to authenticated;
grant execute on function public.end_series(uuid, boolean) to authenticated;
