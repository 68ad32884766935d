-- private.tg_touch_updated_at(), private.tg_protect_columns(column, …)
-- Why:     column grants alone do not hold where an API server re-grants whole tables; these triggers do, everywhere.
-- Caller:  triggers named _200_touch and _100_protect. INVOKER: who writes is exactly what the second one asks.
-- Errors:  NX010 a person changed a protected column; the detail names it.
-- Repeat:  safe.

create function private.tg_touch_updated_at() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  new.updated_at := now();
  return new;
end;
$$;
comment on function private.tg_touch_updated_at() is 'BEFORE UPDATE: keeps updated_at true whatever the caller wrote.';

create function private.tg_protect_columns() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_column text;
begin
  if current_user not in ('anon', 'authenticated') then
    return new;
  end if;
  foreach v_column in array tg_argv loop
    if to_jsonb(new) -> v_column is distinct from to_jsonb(old) -> v_column then
      perform private.fail('NX010', p_detail := v_column);
    end if;
  end loop;
  return new;
end;
$$;
comment on function private.tg_protect_columns() is
  'BEFORE UPDATE: people cannot change the columns that the trigger lists (P3.6); functions of this service can.';
