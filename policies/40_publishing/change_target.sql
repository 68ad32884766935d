-- People change their own targets; the bodies ask whose they are.

grant execute on function private.reschedule_target(uuid, timestamptz, uuid, timestamptz) to authenticated;
grant execute on function private.retry_target(uuid, uuid, timestamptz) to authenticated;
grant execute on function private.cancel_target(uuid, timestamptz) to authenticated;
grant execute on function private.resolve_unconfirmed(uuid, boolean, text, boolean, timestamptz) to authenticated;
grant execute on function public.reschedule_target(uuid, timestamptz, uuid) to authenticated;
grant execute on function public.retry_target(uuid, uuid) to authenticated;
grant execute on function public.cancel_target(uuid) to authenticated;
grant execute on function public.resolve_unconfirmed(uuid, boolean, text, boolean) to authenticated;
