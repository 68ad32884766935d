-- private.time_ordered_id(now)
-- Why:     ids of what is worked on in masses. What came to be together lies together in every index, so that a batch of
--          work touches few pages, whatever else is stored (docs/SCALE.md). To its reader such an id tells when the row
--          came to be, as created_at does; it is no secret and not to be used as one.
-- Caller:  defaults of columns.
-- Errors:  none.
-- Repeat:  every call gives another id.

create function private.time_ordered_id(p_now timestamptz default now()) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select encode(set_bit(set_bit( -- version 4 becomes 7; the variant is the same
    overlay(uuid_send(gen_random_uuid())
            placing substring(int8send((extract(epoch from p_now) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid
$$;
comment on function private.time_ordered_id(timestamptz) is 'A UUID of version 7 (RFC 9562): 48 bits of milliseconds, 74 random ones.';
