-- Links in mails are opened through the worker's web server.

grant execute on function private.find_unsubscribe(text) to service_role;
grant execute on function private.unsubscribe(text, timestamptz) to service_role;
grant execute on function worker.find_unsubscribe(text) to service_role;
grant execute on function worker.unsubscribe(text) to service_role;
