-- The worker alone reports, removes and opens archives.

grant execute on function private.finish_export(uuid, uuid, int, bigint, text, int, text, timestamptz) to service_role;
grant execute on function private.forget_export(uuid, uuid, int, timestamptz) to service_role;
grant execute on function private.redeem_export(text, timestamptz) to service_role;
grant execute on function worker.finish_export(uuid, uuid, int, bigint, text, int, text) to service_role;
grant execute on function worker.forget_export(uuid, uuid, int) to service_role;
grant execute on function worker.redeem_export(text) to service_role;
