-- Guards on everything that a legal hold can cover
-- Why:     what is held is not deleted, whoever tries and however: a person, an erasure, a cleanup, somebody in the console
--          (P8.5). Last in its context, so that every table is there; a table without its guards is a gap in the catalogue.

create function private.ensure_hold_guards() returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_table record;
  v_count bigint := 0;
begin
  for v_table in select * from private.unguarded_relations() loop
    execute format('create trigger _050_keep_held before delete on %s for each row execute function private.tg_keep_held(%L, %L)',
                   v_table.name, v_table.subject_column, v_table.name);
    if v_table.name not like 'auth.%' then  -- nobody of ours may truncate there
      execute format('create trigger _060_keep_held before truncate on %s for each statement execute function private.tg_keep_held(%L, %L)',
                     v_table.name, v_table.subject_column, v_table.name);
    end if;
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.ensure_hold_guards() is 'Puts the guards where they are missing; returns on how many tables.';

select private.ensure_hold_guards();
select private.forget_statistics();
