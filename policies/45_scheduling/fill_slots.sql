-- People fill the slots of their own accounts; the bodies ask whose they are.

grant execute on function private.next_free_slot(uuid, timestamptz, timestamptz) to authenticated;
grant execute on function private.list_slots(uuid, timestamptz, timestamptz) to authenticated;
grant execute on function private.add_to_queue(uuid, timestamptz, uuid, timestamptz) to authenticated;
grant execute on function public.next_free_slot(uuid, timestamptz) to authenticated;
grant execute on function public.list_slots(uuid, timestamptz, timestamptz) to authenticated;
grant execute on function public.add_to_queue(uuid, timestamptz, uuid) to authenticated;
