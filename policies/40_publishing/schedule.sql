-- People schedule and publish their own posts; the bodies ask whose they are.

grant execute on function private.schedule_post(uuid, timestamptz, uuid, timestamptz) to authenticated;
grant execute on function private.publish_now(uuid, uuid, timestamptz) to authenticated;
grant execute on function public.schedule_post(uuid, timestamptz, uuid) to authenticated;
grant execute on function public.publish_now(uuid, uuid) to authenticated;
