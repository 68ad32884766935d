"""P3.6: nobody reads, writes, infers or attaches to anything of somebody else's, tried from the catalogue."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.isolation import leaks
from tests.support.seed import seed_person, tables_without_rows_of

PLANTED = {
    "a policy that lets everybody read": (
        "create policy leak on public.posts for select to authenticated using (true)",
        "reads public.posts",
    ),
    "a policy that lets everybody write": (
        """create policy leak on public.posts for select to authenticated using (true);
           create policy leak_too on public.posts for update to authenticated using (true)""",
        "updates public.posts",
    ),
    "a policy that lets everybody delete": (
        """create policy leak on public.captions for select to authenticated using (true);
           create policy leak_too on public.captions for delete to authenticated using (true)""",
        "deletes from public.captions",
    ),
    "a view with the rights of its owner": (
        "create view public.all_posts as select * from public.posts; grant select on public.all_posts to authenticated",
        "reads public.all_posts",
    ),
    "row-level security switched off": (
        "alter table public.scripts disable row level security",
        "reads public.scripts",
    ),
    "the vault opened": (
        """grant select on private.token_vault to authenticated;
           create policy leak on private.token_vault for select to authenticated using (true)""",
        "reads private.token_vault",
    ),
    "a visitor let in": (
        """grant select on public.profiles to anon;
           create policy leak on public.profiles for select to anon using (true)""",
        "a visitor reads public.profiles",
    ),
    "a function that reads with the rights of its owner": (
        """create function public.peek(p_post_id uuid) returns text language sql security definer set search_path = ''
             as 'select body from public.posts where id = p_post_id';
           grant execute on function public.peek(uuid) to authenticated""",
        "reads through peek(uuid)",
    ),
    "a function that writes with the rights of its owner": (
        """create function public.poke(p_post_id uuid) returns void language sql security definer set search_path = ''
             as 'update public.posts set title = ''poked'' where id = p_post_id';
           grant execute on function public.poke(uuid) to authenticated""",
        "changes something through poke(uuid)",
    ),
    "a function that tells who has what": (
        """create function public.knows(p_post_id uuid) returns boolean language sql security definer
             set search_path = ''
             as 'select exists (select from public.posts where id = p_post_id)';
           grant execute on function public.knows(uuid) to authenticated""",
        "tells owned from invented through knows(uuid)",
    ),
    "a reference that forgets the owner": (
        """alter table public.posts drop constraint posts_script_id_user_id_fkey;
           alter table public.posts add constraint forgetful foreign key (script_id) references public.scripts (id)""",
        "attaches to scripts through posts.script_id",
    ),
    "a bucket that everybody lists": (
        "create policy leak on storage.objects for select to authenticated using (true)",
        "lists files",
    ),
    "a bucket that everybody writes": (
        "create policy leak on storage.objects for insert to authenticated with check (bucket_id = 'media')",
        "uploads into the owner's folder of media",
    ),
}


def test_the_seed_leaves_no_table_out(db: psycopg.Connection) -> None:
    assert tables_without_rows_of(db, seed_person(db).person.user_id) == set()


def test_nothing_of_one_person_reaches_another(db: psycopg.Connection) -> None:
    owner, stranger = seed_person(db), seed_person(db)
    assert leaks(db, owner, stranger.person) == set()


@pytest.mark.parametrize(("leak", "expected"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_leak_is_found(db: psycopg.Connection, leak: str, expected: str) -> None:
    owner, stranger = seed_person(db), seed_person(db)
    db.execute(leak)  # type: ignore[call-overload]
    assert any(expected in found for found in leaks(db, owner, stranger.person, expected))
