-- private.revocation_outbox
-- Why:     disconnecting deletes the tokens at once; telling the platform takes a worker and a network. What that needs
--          waits here, sealed for this purpose only, and is gone within 24 hours in every case (P6.7).
-- Caller:  disconnect.sql and pending_connections.sql write, revocations.sql reads and deletes, housekeeping deletes
--          what is past its time.
-- Note:    no foreign keys: the row must outlive the connection and the account (its ids are part of what opens the
--          record), and delete_by bounds its life more tightly than any erasure.

create table private.revocation_outbox (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  platform_id text not null,
  connection_id uuid not null,
  external_account_id text not null,
  generation int not null,
  sealed_token bytea not null,
  created_at timestamptz not null,
  delete_by timestamptz not null,
  attempts int not null default 0,
  constraint token_is_sealed check (private.is_sealed(sealed_token)), -- P3.4
  constraint gone_within_24_hours -- P6.7
    check (delete_by > created_at and delete_by <= created_at + interval '24 hours')
);
create index revocation_outbox_delete_by_idx on private.revocation_outbox (delete_by);
create index revocation_outbox_external_account_id_idx on private.revocation_outbox (external_account_id, platform_id);
create index revocation_outbox_user_id_idx on private.revocation_outbox (user_id);
comment on table private.revocation_outbox is
  'Tokens that the platform is still to be told to revoke; at most for a day.';
comment on column private.revocation_outbox.delete_by is
  'The row is deleted then, whether the platform answered or not.';
comment on column private.revocation_outbox.external_account_id is
  'Whose grant it is: when the account is connected again, by whomever, its old grant is not revoked any more.';
