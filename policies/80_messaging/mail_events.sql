-- Events come from the worker's web server, after it verified the signature.

alter table private.mail_events enable row level security;

grant execute on function private.record_mail_event(text, text, text, uuid, timestamptz, text, timestamptz) to service_role;
grant execute on function worker.record_mail_event(text, text, text, uuid, timestamptz, text) to service_role;
