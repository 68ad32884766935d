-- Jobs are claimed and finished by workers.

grant execute on function private.claim_jobs(uuid, text, int, timestamptz) to service_role;
grant execute on function private.next_job_due(text) to service_role;
grant execute on function private.finish_jobs(uuid, jsonb, timestamptz) to service_role;
grant execute on function worker.claim_jobs(uuid, text, int) to service_role;
grant execute on function worker.next_job_due(text) to service_role;
grant execute on function worker.finish_jobs(uuid, jsonb) to service_role;
