-- private.csv_rows(csv, limit)
-- Why:     people keep their plans in spreadsheets. RFC 4180, as spreadsheet programs really write it: comma, semicolon or
--          tab, CRLF, LF or CR, a byte order mark, a line "sep=;", quoted fields with quotes and line breaks in them.
-- How:     splitting at the quotes leaves what is outside at the odd places and what is inside at the even ones; an empty
--          piece between two insides is a doubled quote. So no loop over characters is needed, and time grows with length.
-- Caller:  import_posts_csv().
-- Errors:  NX457 with what is wrong: size, rows, character, quote in row n.
-- Repeat:  safe; nothing is written.

create function private.csv_separator(p_csv text) returns text
language sql immutable security invoker set search_path = '' as $$
  select d from (select split_part(translate(left(p_csv, 5000), E'\r', E'\n'), E'\n', 1) as header) h,
    unnest(array[',', ';', E'\t']) with ordinality s (d, place)
  order by length(replace(h.header, d, '')), place limit 1
$$;
comment on function private.csv_separator(text) is 'The separator that the header line has most of.';

create function private.csv_fault(p_pieces text[], p_separator text) returns int
language sql immutable security invoker set search_path = '' as $$
  with piece as (
    select p, i, i % 2 = 1 as is_outside from unnest(p_pieces) with ordinality x (p, i)
  ), fault as (
    select coalesce(min(i), case when cardinality(p_pieces) % 2 = 0 then cardinality(p_pieces) end) as i from piece
    where is_outside and p <> '' and (
      i > 1 and left(p, 1) <> all (array[p_separator, E'\n', E'\r'])
      or i < cardinality(p_pieces) and right(p, 1) <> all (array[p_separator, E'\n', E'\r']))
  )
  select 1 + sum(cardinality(string_to_array(replace(replace(p, E'\r\n', E'\n'), E'\r', E'\n'), E'\n')) - 1)::int
  from piece, fault f where is_outside and p <> '' and piece.i <= f.i - 1 + f.i % 2
  having count(f.i) > 0
$$;
comment on function private.csv_fault(text[], text) is
  'Row of the first quote that neither begins nor ends a field, or is not closed; NULL: there is none.';

create function private.csv_rows(p_csv text, p_limit int) returns table (row_number int, fields text[])
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_csv text := case when left(p_csv, 1) = chr(65279) then substr(p_csv, 2) else p_csv end;
  v_first int := case when lower(left(v_csv, 4)) = 'sep=' and substr(v_csv, 6, 1) in (E'\n', E'\r') then 1 else 0 end;
  v_separator text := case when v_first = 1 then substr(v_csv, 5, 1) else private.csv_separator(v_csv) end;
  v_pieces text[];
  v_rows text[];
begin
  if v_first = 1 then
    v_csv := substr(v_csv, case when substr(v_csv, 6, 2) = E'\r\n' then 8 else 7 end);
  end if;
  if length(v_csv) > 8000000 then
    perform private.fail('NX457', p_detail := 'size');
  elsif position(chr(1) in v_csv) > 0 or position(chr(2) in v_csv) > 0 then
    perform private.fail('NX457', p_detail := 'character');
  end if;
  v_pieces := string_to_array(v_csv, '"');
  if private.csv_fault(v_pieces, v_separator) is not null then
    perform private.fail('NX457', p_detail := format('quote in row %s', v_first + private.csv_fault(v_pieces, v_separator)));
  end if;
  -- chr(1) ends a field, chr(2) a row; neither occurs in the text.
  select string_to_array(string_agg(case
      when i % 2 = 0 then replace(p, E'\r\n', E'\n')
      when p = '' and i > 1 and i < cardinality(v_pieces) then '"'
      else translate(replace(p, E'\r\n', E'\n'), v_separator || E'\n\r', chr(1) || chr(2) || chr(2)) end, '' order by i), chr(2))
    into v_rows from unnest(v_pieces) with ordinality x (p, i);
  return query
    select v_first + r.place::int, string_to_array(r.line, chr(1))
    from unnest(v_rows) with ordinality r (line, place) where translate(r.line, chr(1) || ' ', '') <> '' order by r.place;
  if (select count(*) from unnest(v_rows) r where translate(r, chr(1) || ' ', '') <> '') > p_limit + 1 then
    perform private.fail('NX457', p_detail := 'rows');
  end if;
end;
$$;
comment on function private.csv_rows(text, int) is
  'Fields of each row that is not blank, with its number as a spreadsheet shows it; the header is among them.';
