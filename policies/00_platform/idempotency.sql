-- Answers may hold what people wrote: no role of the API reads them.

alter table private.idempotency_keys enable row level security;
