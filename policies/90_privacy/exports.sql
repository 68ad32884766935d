-- Exporting works in every state of the account (P7.4). No role of the API reads the bucket but the worker's: no policy
-- on storage.objects names it.

alter table private.exports enable row level security;
alter table private.export_chunks enable row level security;
alter table private.export_tickets enable row level security;

grant execute on function private.request_export(timestamptz) to authenticated;
grant execute on function private.my_exports(timestamptz) to authenticated;
grant execute on function private.open_export(uuid, timestamptz) to authenticated;
grant execute on function private.cancel_export(uuid, timestamptz) to authenticated;
grant execute on function public.request_export() to authenticated;
grant execute on function public.my_exports() to authenticated;
grant execute on function public.open_export(uuid) to authenticated;
grant execute on function public.cancel_export(uuid) to authenticated;
