-- Workers attest; nobody else.

alter table private.promises enable row level security;
alter table private.promise_checks enable row level security;
alter table private.guards enable row level security;

grant execute on function private.attest(timestamptz) to service_role;
grant execute on function private.promise_texts() to service_role;
grant execute on function worker.attest() to service_role;
grant execute on function worker.promise_texts() to service_role;
