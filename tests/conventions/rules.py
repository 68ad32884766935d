"""The rules of CONVENTIONS.md that the catalogue can answer: each a query for violations and a planted violation.

A query gives one text per violation. `plant` is SQL that breaks exactly this rule; the test runs it in a transaction
that is rolled back, and the rule must notice.
"""

# ruff: noqa: E501  (queries stay in one piece; nothing in them comes from outside)

from __future__ import annotations

from dataclasses import dataclass

OWN = "('public', 'private', 'worker', 'retained')"
_API_ROLES = "('anon', 'authenticated', 'service_role')"

_TABLES = f"""
  select c.oid, c.oid::regclass::text as name, c.relname, c.relnamespace::regnamespace::text as schema,
         c.relkind, c.relrowsecurity, c.relispartition,
         exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id') as has_owner
  from pg_class c where c.relnamespace::regnamespace::text in {OWN} and c.relkind in ('r', 'p')
"""
_FUNCTIONS = f"""
  select p.*, p.oid::regprocedure::text as signature, p.pronamespace::regnamespace::text as schema,
         p.pronamespace::regnamespace || '.' || p.proname as full_name,
         regexp_replace(regexp_replace(p.prosrc, '--[^\\n]*', '', 'g'), '/\\*.*?\\*/', '', 'g') as code,
         (select l.lanname from pg_language l where l.oid = p.prolang) as language,
         p.prorettype = 'trigger'::regtype as is_trigger
  from pg_proc p
  where p.pronamespace::regnamespace::text in {OWN} and not exists (
    select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
"""
_POLICIES = f"""
  select p.*, c.oid::regclass || '.' || p.polname as name, c.relname, c.relnamespace::regnamespace::text as schema,
         case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
           else 'all' end as command,
         concat_ws(' ', pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)) as expression
  from pg_policy p join pg_class c on c.oid = p.polrelid
  where c.relnamespace::regnamespace::text in {OWN} or c.relnamespace = 'storage'::regnamespace
"""
_FOREIGN_KEYS = f"""
  select k.*, k.conrelid::regclass || '.' || k.conname as name from pg_constraint k
  join pg_class c on c.oid = k.conrelid and not c.relispartition
  where k.contype = 'f' and c.relnamespace::regnamespace::text in {OWN}
"""
_TRIGGERS = f"""
  select t.*, t.tgrelid::regclass || '.' || t.tgname as name, p.proname from pg_trigger t
  join pg_proc p on p.oid = t.tgfoid
  where not t.tgisinternal and t.tgparentid = 0 and p.pronamespace::regnamespace::text in {OWN}
"""
_COLUMNS = f"""
  select a.*, c.oid::regclass || '.' || a.attname as name, c.relnamespace::regnamespace::text as schema, c.relkind
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  where c.relnamespace::regnamespace::text in {OWN} and c.relkind in ('r', 'p', 'v') and not c.relispartition
    and a.attnum > 0 and not a.attisdropped
"""


@dataclass(frozen=True)
class Rule:
    """One rule, in the words of CONVENTIONS.md."""

    name: str
    violations: str
    plant: str


def _with(source: str, query: str) -> str:
    return f"with t as ({source}) {query}"


_PLANTED_TABLE = "create table public.planted (id uuid primary key, user_id uuid); "
_PLANTED_FUNCTION = (
    "create function private.plant_it() returns int language sql stable security invoker"
    " set search_path = '' as 'select 1'; comment on function private.plant_it() is 'x'; "
)

TABLES = [
    Rule(
        "row level security is on for every table of every schema of ours",
        _with(_TABLES, "select name from t where not relrowsecurity"),
        "create table private.planted (id int primary key)",
    ),
    Rule(
        "every table in public with an owner has one restrictive policy for a live session or a usable account",
        _with(
            _TABLES,
            """select name from t where schema = 'public' and has_owner and 1 <> (
                 select count(*) from pg_policy p
                 where p.polrelid = t.oid and not p.polpermissive and p.polcmd = '*'
                   and p.polroles = array['authenticated'::regrole::oid]
                   and (p.polname, pg_get_expr(p.polqual, t.oid)) in (
                     (t.relname || '_all_live_session', '( SELECT private.session_is_live() AS session_is_live)'),
                     (t.relname || '_all_usable_account', '( SELECT private.account_is_usable() AS account_is_usable)')))""",
        ),
        _PLANTED_TABLE
        + """create policy planted_all_usable_account on public.planted as restrictive for all to authenticated
             using ((select private.session_is_live()))""",
    ),
    Rule(
        "a table in public without an owner holds reference data: read-only, for live sessions",
        _with(
            _TABLES,
            """select name from t where schema = 'public' and not has_owner and (
                 select array_agg(row(p.polcmd, pg_get_expr(p.polqual, t.oid))::text) from pg_policy p where p.polrelid = t.oid
               ) is distinct from array['(r,"( SELECT private.session_is_live() AS session_is_live)")']""",
        ),
        """create table public.planted (id uuid primary key);
           create policy planted_select_signed_in on public.planted for select to authenticated using (true)""",
    ),
    Rule(
        "every table has a primary key, and the id of one with an owner is a uuid, in partitioned history an instant",
        _with(
            _TABLES,
            """select name from t where not relispartition and (
                 not exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary)
                 or has_owner and exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'id'
                                          and a.atttypid <> 'uuid'::regtype
                                          and (relkind <> 'p' or coalesce(pg_get_expr(
                                            (select d.adbin from pg_attrdef d where d.adrelid = t.oid and d.adnum = a.attnum),
                                            t.oid), '') !~ 'clock_timestamp')))""",
        ),
        "create table private.planted (id bigint primary key, user_id uuid)",
    ),
    Rule(
        "no role of the API has a privilege on a table of private or retained",
        _with(
            _TABLES,
            f"""select format('%s on %s to %s', x.privilege_type, name, x.grantee::regrole)
                from t join pg_class c using (oid), aclexplode(c.relacl) x
                where schema in ('private', 'retained') and (x.grantee = 0 or x.grantee::regrole::text in {_API_ROLES})""",
        ),
        "grant select on private.error_registry to authenticated",
    ),
    Rule(
        "a foreign key between two tables with an owner carries the owner",
        _with(
            _FOREIGN_KEYS,
            """select name from t
               where exists (select from pg_attribute a where a.attrelid = conrelid and a.attname = 'user_id')
                 and exists (select from pg_attribute a where a.attrelid = confrelid and a.attname = 'user_id')
                 and confrelid <> 'auth.sessions'::regclass and confrelid::regclass::text !~ '^auth[.]'
                 and not exists (select from pg_attribute a where a.attrelid = conrelid and a.attname = 'user_id'
                                 and a.attnum = any(conkey))""",
        ),
        _PLANTED_TABLE
        + "create table public.planted_too (id uuid primary key, user_id uuid, planted_id uuid references public.planted)",
    ),
    Rule(
        "every foreign key is indexed",
        _with(
            _FOREIGN_KEYS,
            """select name from t where not exists (
                 select from pg_index i where i.indrelid = conrelid and i.indpred is null
                   and conkey <@ (i.indkey::int2[])[0:cardinality(conkey) - 1]
                 union all
                 select from pg_index i where i.indrelid = conrelid and cardinality(conkey) > 1 and i.indnkeyatts = 1
                   and i.indisunique and i.indkey[0] = any(conkey))""",
        ),
        _PLANTED_TABLE
        + "alter table public.planted add constraint x foreign key (user_id) references auth.users (id)",
    ),
    Rule(
        "a column named …_at is a timestamptz, one named …_minor a bigint beside a currency",
        _with(
            _COLUMNS,
            """select name from t where attname ~ '_at$' and atttypid <> 'timestamptz'::regtype
                 or attname ~ '_minor$' and (atttypid <> 'bigint'::regtype or not exists (
                   select from pg_attribute b where b.attrelid = t.attrelid and b.attname ~ 'currency$'))""",
        ),
        "create table private.planted (id int primary key, made_at timestamp)",
    ),
    Rule(
        "views run with the rights of who reads them",
        f"""select oid::regclass::text from pg_class where relkind = 'v' and relnamespace::regnamespace::text in {OWN}
            and not coalesce(reloptions @> array['security_invoker=true'], false)""",
        "create view public.planted as select 1 as one",
    ),
    Rule(
        "monthly partitions live in private",
        _with(_TABLES, "select name from t where relispartition and schema <> 'private'"),
        "create table private.planted (at timestamptz) partition by range (at);"
        "create table public.planted_default partition of private.planted default",
    ),
]

POLICIES = [
    Rule(
        "no policy is for everybody or for visitors",
        _with(_POLICIES, "select name from t where polroles <> array['authenticated'::regrole::oid]"),
        _PLANTED_TABLE + "create policy planted_select_owner on public.planted for select using (true)",
    ),
    Rule(
        "permissive policies are one per command",
        _with(
            _POLICIES,
            """select name from t where polpermissive and polcmd = '*'
               union all
               select min(name) || ' and another' from t where polpermissive and schema <> 'storage'
               group by polrelid, polcmd having count(*) > 1""",
        ),
        _PLANTED_TABLE
        + "create policy planted_all_owner on public.planted for all to authenticated using (user_id = (select auth.uid()))",
    ),
    Rule(
        "a function in a policy stands in a subselect, so that it runs once per statement",
        _with(
            _POLICIES,
            r"""select name from t
                where regexp_replace(expression, '\( SELECT (auth|private)\.\w+\(\)', '', 'g') ~ '(auth|private)\.\w+\(\)|current_setting'""",
        ),
        _PLANTED_TABLE
        + "create policy planted_select_owner on public.planted for select to authenticated using (user_id = auth.uid())",
    ),
    Rule(
        "policies are named <table>_<command>_<who>",
        _with(
            _POLICIES,
            """select name from t where polname !~ format('^%s_%s_[a-z]+(_[a-z]+)*$',
                 case schema when 'storage' then '[a-z_]+' else relname end, command)""",
        ),
        _PLANTED_TABLE
        + """create policy planted_insert_owner on public.planted for select to authenticated using (user_id = (select auth.uid()))""",
    ),
    Rule(
        "a write policy checks the owner",
        _with(
            _POLICIES,
            """select name from t where polpermissive and schema = 'public'
                 and expression !~ '\\( SELECT (auth\\.uid|private\\.\\w+)\\('""",
        ),
        _PLANTED_TABLE
        + "create policy planted_insert_owner on public.planted for insert to authenticated with check (true)",
    ),
]

FUNCTIONS = [
    Rule(
        "every function sets an empty search_path",
        _with(
            _FUNCTIONS,
            """select signature from t where not coalesce(proconfig @> array['search_path=""'], false)""",
        ),
        "create function private.plant_it() returns int language sql as 'select 1'",
    ),
    Rule(
        "every function has a comment",
        _with(_FUNCTIONS, "select signature from t where obj_description(oid, 'pg_proc') is null"),
        "create function private.plant_it() returns int language sql set search_path = '' as 'select 1'",
    ),
    Rule(
        "every function says who may execute it, and that is never everybody",
        _with(
            _FUNCTIONS,
            """select signature from t where proacl is null or exists (select from aclexplode(proacl) x where x.grantee = 0)""",
        ),
        _PLANTED_FUNCTION + "grant execute on function private.plant_it() to public",
    ),
    Rule(
        "no function is overloaded",
        _with(_FUNCTIONS, "select full_name from t group by full_name having count(*) > 1"),
        _PLANTED_FUNCTION
        + "create function private.plant_it(p_x int) returns int language sql as 'select 1'",
    ),
    Rule(
        "security definer only in private",
        _with(_FUNCTIONS, "select signature from t where prosecdef and schema <> 'private'"),
        "create function public.plant_it() returns int language sql security definer set search_path = '' as 'select 1'",
    ),
    Rule(
        "every definer function is in the ledger with a reason",
        _with(
            _FUNCTIONS,
            """select signature from t where prosecdef and not exists (
                 select from private.definer_ledger l where l.function_name = full_name and length(l.reason) >= 10)""",
        ),
        "create function private.plant_it() returns int language sql security definer set search_path = '' as 'select 1'",
    ),
    Rule(
        "everything in the ledger is a definer function",
        _with(
            _FUNCTIONS,
            """select function_name from private.definer_ledger l
               where not exists (select from t where prosecdef and full_name = l.function_name)""",
        ),
        "insert into private.definer_ledger (function_name, reason) values ('private.gone', 'was there once')",
    ),
    Rule(
        "functions of public and worker are invoker wrappers in SQL",
        _with(
            _FUNCTIONS,
            "select signature from t where schema in ('public', 'worker') and (prosecdef or language <> 'sql')",
        ),
        "create function worker.plant_it() returns int language plpgsql set search_path = '' as 'begin return 1; end'",
    ),
    Rule(
        "time enters a function as p_now, never by asking the clock",
        _with(
            _FUNCTIONS,
            r"""select signature from t where not is_trigger
                and code ~* '\m(now|clock_timestamp|statement_timestamp|transaction_timestamp)\s*\(|\m(current_timestamp|current_date|localtimestamp)\M'""",
        ),
        "create function private.plant_it() returns timestamptz language sql set search_path = '' as 'select now()'",
    ),
    Rule(
        "p_now is the last parameter of a private function, and its default, if any, is now()",
        _with(
            _FUNCTIONS,
            r"""select signature from t where 'p_now' = any(proargnames)
                and (schema <> 'private' or pg_get_function_arguments(oid) !~ 'p_now timestamp with time zone( DEFAULT now\(\))?$')""",
        ),
        "create function private.plant_it(p_now timestamptz default now(), p_x int default 1) returns int language sql"
        " set search_path = '' as 'select 1'",
    ),
    Rule(
        "parameters are named p_…",
        _with(
            _FUNCTIONS,
            """select signature from t where exists (
                 select from generate_series(1, pronargs) n
                 where coalesce(proargnames[n], '') !~ '^p_[a-z0-9_]+$')""",
        ),
        "create function private.plant_it(x int) returns int language sql set search_path = '' as 'select 1'",
    ),
    Rule(
        "trigger functions, and only they, are named tg_…",
        _with(
            _FUNCTIONS,
            "select signature from t where is_trigger <> (proname ~ '^tg_[a-z0-9]+(_{1,2}[a-z0-9]+)*$')",
        ),
        "create function private.plant_it() returns trigger language plpgsql set search_path = '' as 'begin return new; end'",
    ),
    Rule(
        "functions of public are named verb_noun",
        _with(
            _FUNCTIONS,
            "select signature from t where schema = 'public' and proname !~ '^[a-z]+(_[a-z0-9]+)+$'",
        ),
        "create function public.plant() returns int language sql set search_path = '' as 'select 1'",
    ),
    Rule(
        "functions of worker are for service_role alone",
        _with(
            _FUNCTIONS,
            """select signature from t where schema = 'worker' and (
                 has_function_privilege('authenticated', oid, 'execute') or has_function_privilege('anon', oid, 'execute')
                 or not has_function_privilege('service_role', oid, 'execute'))""",
        ),
        "create function worker.plant_it() returns int language sql set search_path = '' as 'select 1';"
        "grant execute on function worker.plant_it() to authenticated, service_role",
    ),
    Rule(
        "functions of public are for people, not for visitors",
        _with(
            _FUNCTIONS,
            """select signature from t where schema = 'public' and not is_trigger and (
                 has_function_privilege('anon', oid, 'execute') or not has_function_privilege('authenticated', oid, 'execute'))""",
        ),
        "create function public.plant_it() returns int language sql set search_path = '' as 'select 1';"
        "grant execute on function public.plant_it() to anon, authenticated",
    ),
    Rule(
        "bodies have at most 60 lines",
        _with(
            _FUNCTIONS, "select signature from t where array_length(string_to_array(prosrc, E'\\n'), 1) > 62"
        ),
        "create function private.plant_it() returns int language sql set search_path = '' as $$ select 1 "
        + "\n" * 70
        + "$$",
    ),
]

NAMES = [
    Rule(
        "triggers are named _NNN_<task>",
        _with(_TRIGGERS, "select name from t where tgname !~ '^_[0-9]{3}_[a-z0-9]+(_[a-z0-9]+)*$'"),
        _PLANTED_TABLE
        + "create trigger touch before update on public.planted for each row execute function private.tg_touch_updated_at()",
    ),
    Rule(
        "every table and view of public has a comment",
        """select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')
             and obj_description(oid, 'pg_class') is null""",
        _PLANTED_TABLE,
    ),
    Rule(
        "every column of public has a comment, apart from foreign keys, id, user_id, created_at and updated_at",
        _with(
            _COLUMNS,
            """select name from t where schema = 'public' and col_description(attrelid, attnum) is null
                 and attname not in ('id', 'user_id', 'created_at', 'updated_at')
                 and not exists (select from pg_constraint k where k.contype = 'f' and k.conrelid = attrelid and attnum = any(k.conkey))""",
        ),
        "create table public.planted (id uuid primary key, body text)",
    ),
    Rule(
        "default privileges open nothing",
        f"""select format('%s of %s: %s to %s', d.defaclobjtype, d.defaclrole::regrole, x.privilege_type, x.grantee::regrole)
            from pg_default_acl d, aclexplode(d.defaclacl) x
            where d.defaclrole = 'postgres'::regrole and (x.grantee = 0 or x.grantee::regrole::text in {_API_ROLES})
            union all
            select 'functions stay executable by everybody' where not exists (
              select from pg_default_acl d where d.defaclrole = 'postgres'::regrole and d.defaclnamespace = 0
                and d.defaclobjtype = 'f')""",
        "alter default privileges in schema public grant select on tables to authenticated",
    ),
    Rule(
        "triggers on tables of Auth and Storage run as their definer",
        _with(
            _TRIGGERS,
            """select name from t join pg_proc p on p.oid = tgfoid
               where tgrelid::regclass::text ~ '^(auth|storage)[.]' and not p.prosecdef""",
        ),
        "create function private.tg_plant() returns trigger language plpgsql set search_path = '' as 'begin return new; end';"
        "create trigger _900_plant after insert on auth.users for each row execute function private.tg_plant()",
    ),
]

ALL = [*TABLES, *POLICIES, *FUNCTIONS, *NAMES]
