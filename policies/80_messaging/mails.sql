-- Nobody reaches the outbox but through functions of schema worker.

alter table private.mail_campaigns enable row level security;
alter table private.mails enable row level security;
