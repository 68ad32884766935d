-- Mails are claimed and reported by workers.

grant execute on function private.claim_mails(uuid, int, timestamptz) to service_role;
grant execute on function private.next_mail_due() to service_role;
grant execute on function private.report_mails(uuid, jsonb, timestamptz) to service_role;
grant execute on function worker.claim_mails(uuid, int) to service_role;
grant execute on function worker.next_mail_due() to service_role;
grant execute on function worker.report_mails(uuid, jsonb) to service_role;
