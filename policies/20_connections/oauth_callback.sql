-- The worker's web server.

grant execute on function private.redeem_ticket(text, text, text, text, timestamptz) to service_role;
grant execute on function private.consume_oauth_state(text, text, timestamptz) to service_role;
grant execute on function worker.redeem_ticket(text, text, text, text) to service_role;
grant execute on function worker.consume_oauth_state(text, text) to service_role;
