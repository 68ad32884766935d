-- People schedule their own posts; the bodies ask whose they are.

grant execute on function private.schedule_post_local(uuid, timestamp, text, text, uuid, timestamptz) to authenticated;
grant execute on function private.reschedule_target_local(uuid, timestamp, text, text, uuid, timestamptz) to authenticated;
grant execute on function public.schedule_post_local(uuid, timestamp, text, text, uuid) to authenticated;
grant execute on function public.reschedule_target_local(uuid, timestamp, text, text, uuid) to authenticated;
