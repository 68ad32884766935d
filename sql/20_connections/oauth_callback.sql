-- worker.redeem_ticket(…), worker.consume_oauth_state(…)
-- Why:     the two steps of the browser on the worker's web server: leaving for the platform and coming back.
-- Caller:  service_role. DEFINER bodies: oauth_flows is in private.
-- Errors:  NX002 a hash is malformed. NX210 unknown, used or expired. NX211 the browser that comes back is not the one
--          that left. NX216 the verifier is not sealed.
-- Repeat:  never: a ticket and a state work once. A refusal changes nothing.
-- Locks:   the flow's row.

create function private.redeem_ticket(
  p_ticket_hash text, p_state_hash text, p_browser_hash text, p_sealed_verifier text, p_now timestamptz default now()
) returns table (flow_id uuid, platform_id text, scopes text[])
language plpgsql volatile security definer set search_path = '' as $$
begin
  return query
    update private.oauth_flows f
    set state_hash = private.hash_from_hex(p_state_hash, 'p_state_hash'),
        browser_hash = private.hash_from_hex(p_browser_hash, 'p_browser_hash'),
        sealed_verifier = private.sealed_from_text(p_sealed_verifier)
    where f.ticket_hash = private.hash_from_hex(p_ticket_hash, 'p_ticket_hash')
      and f.state_hash is null and f.ticket_expires_at > p_now
    returning f.id, f.platform_id, f.scopes;
  if not found then
    perform private.fail('NX210');
  end if;
end;
$$;
comment on function private.redeem_ticket(text, text, text, text, timestamptz) is 'Body of worker.redeem_ticket().';

create function private.consume_oauth_state(p_state_hash text, p_browser_hash text, p_now timestamptz default now())
returns table (flow_id uuid, user_id uuid, platform_id text, scopes text[], redirect_to text, sealed_verifier text,
               features text[])
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_flow private.oauth_flows;
begin
  select * into v_flow from private.oauth_flows f
    where f.state_hash = private.hash_from_hex(p_state_hash, 'p_state_hash') for update;
  if not found or v_flow.consumed_at is not null or v_flow.expires_at <= p_now then
    perform private.fail('NX210');
  end if;
  if v_flow.browser_hash <> private.hash_from_hex(p_browser_hash, 'p_browser_hash') then
    perform private.fail('NX211');
  end if;
  update private.oauth_flows f set consumed_at = p_now, sealed_verifier = null where f.id = v_flow.id;
  return query select v_flow.id, v_flow.user_id, v_flow.platform_id, v_flow.scopes, v_flow.redirect_to,
                      private.sealed_to_text(v_flow.sealed_verifier), v_flow.features;
end;
$$;
comment on function private.consume_oauth_state(text, text, timestamptz) is 'Body of worker.consume_oauth_state().';

create function worker.redeem_ticket(
  p_ticket_hash text, p_state_hash text, p_browser_hash text, p_sealed_verifier text
) returns table (flow_id uuid, platform_id text, scopes text[])
language sql volatile security invoker set search_path = '' as $$
  select * from private.redeem_ticket(p_ticket_hash, p_state_hash, p_browser_hash, p_sealed_verifier)
$$;
comment on function worker.redeem_ticket(text, text, text, text) is
  'Turns a ticket into a flow, once. Hashes are SHA-256 in lower-case hex: of the ticket''s text, of the OAuth state, '
  'of the browser''s cookie; the PKCE verifier comes as a sealed record in base64.';

create function worker.consume_oauth_state(p_state_hash text, p_browser_hash text)
returns table (flow_id uuid, user_id uuid, platform_id text, scopes text[], redirect_to text, sealed_verifier text,
               features text[])
language sql volatile security invoker set search_path = '' as $$
  select * from private.consume_oauth_state(p_state_hash, p_browser_hash)
$$;
comment on function worker.consume_oauth_state(text, text) is
  'Takes the flow that a state belongs to, once, in the browser that left with it; the verifier is deleted here.';

insert into private.definer_ledger (function_name, reason) values
  ('private.redeem_ticket', 'Writes oauth_flows, on which no role of the API has rights.'),
  ('private.consume_oauth_state', 'Reads and writes oauth_flows, on which no role of the API has rights.');
