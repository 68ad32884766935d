-- The key commands.

grant execute on function private.tokens_to_rewrap(text, int) to service_role;
grant execute on function private.rewrap_token(text, uuid, text, text, text) to service_role;
grant execute on function private.count_key_use() to service_role;
grant execute on function worker.tokens_to_rewrap(text, int) to service_role;
grant execute on function worker.rewrap_token(text, uuid, text, text, text) to service_role;
grant execute on function worker.count_key_use() to service_role;
