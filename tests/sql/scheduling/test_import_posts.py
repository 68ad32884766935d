"""Bulk import: the same rules as everywhere, what is wrong by row and column, and every row at most once."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.sql.connections.making import connect_account
from tests.sql.publishing.making import Scene, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, create_person, denied

CSV = "select private.import_posts_csv(%s, %s, %s, %s, %s)"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
Report = dict[str, Any]


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """Somebody with one account, mira on X, and nothing else."""
    scene.db.execute("delete from public.posts")
    return scene


def load(
    scene: Scene, text: str, mode: str = "all", *, zone: str | None = None, key: uuid.UUID | None = None
) -> Report:
    with acting_as(scene.db, scene.person):
        report: Report = scalar(scene.db, CSV, text, mode, zone, key, NOW)
    return report


def faults(report: Report) -> list[tuple[int, str, str]]:
    return [(p["row"], p["column"], p["code"]) for p in report["problems"] if p["severity"] == "error"]


def targets(scene: Scene) -> list[tuple[str, str, datetime | None]]:
    return rows(
        scene.db,
        """select p.body, t.state::text, t.scheduled_at
           from public.posts p join public.post_targets t on t.post_id = p.id
           order by p.body, t.scheduled_at""",
    )  # type: ignore[return-value]


def test_a_plan_becomes_posts(scene: Scene) -> None:
    report = load(
        scene,
        "Key;Title;Text;Accounts;At;Time Zone\r\n"
        "a;Dawn;First light;x;2027-03-28 02:30;Europe/Berlin\r\n"
        "b;;Noon;X:@Mira;2027-06-01T12:00:00+02:00;\r\n"
        "c;;Some day;x;;\r\n"
        "d;;Nowhere yet;;;\r\n",
    )
    assert (report["rows"], report["imported"], report["existing"], report["refused"]) == (4, 4, 0, 0)
    assert [post["row"] for post in report["posts"]] == [2, 3, 4, 5]
    assert [(p["row"], p["column"], p["code"], p["severity"]) for p in report["problems"]] == [
        (2, "at", "time_moved", "warning")
    ]
    assert targets(scene) == [
        ("First light", "scheduled", datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
        ("Noon", "scheduled", datetime(2027, 6, 1, 10, tzinfo=UTC)),
        ("Some day", "draft", None),
    ]
    assert scalar(scene.db, "select count(*) from private.queue where lane = 'publish'") == 2
    local = "select local_time, time_zone, adjusted from public.target_local_times order by scheduled_at"
    assert rows(scene.db, local) == [
        (datetime(2027, 3, 28, 3, 30), "Europe/Berlin", "gap"), (datetime(2027, 6, 1, 10), "UTC", None)]  # fmt: skip
    assert scalar(scene.db, "select count(*) from public.target_events where to_state = 'scheduled'") == 2


def test_the_zone_is_that_of_the_row_the_call_or_the_preferences(scene: Scene) -> None:
    scene.db.execute("update public.preferences set time_zone = 'Asia/Kolkata'")
    table = "text,accounts,at,time_zone\nA,x,2027-06-01 12:00,\nB,x,2027-06-01 12:00,America/New_York\n"
    load(scene, table)
    load(scene, table.replace("A,", "C,").replace("B,", "D,"), zone="Europe/Berlin")
    assert [at.hour * 60 + at.minute for _, _, at in targets(scene) if at] == [390, 960, 600, 960]
    with acting_as(scene.db, scene.person), denied(scene.db, "NX450"):
        scalar(scene.db, CSV, table, "all", "CET", None, NOW)


BROKEN = """key,title,text,accounts,at,time_zone,media,options
ok,,Fine,x,2027-06-01 12:00,,,
a,,Hello,x,2027-02-30 12:00,,,
b,,Hello again,x,tomorrow,,,
c,,Hello once more,x,2026-12-31 23:58,,,
d,,Mars,x,2027-06-01 12:00,Mars/Olympus,,
e,,,x,2027-06-01 12:00,,,
f,,No account,,2027-06-01 12:00,,,
g,,Unknown,tiktok|x:nobody,2027-06-01 12:00,,,
h,,Twice,x|x:mira,2027-06-01 12:00,,,
i,,File,x,2027-06-01 12:00,,gone.png,
j,,Options,x,2027-06-01 12:00,,,[1]
j,,Key,x,2027-06-01 12:00,,,
l,,Damaged \ufffd,x,2027-06-01 12:00,,,
m,,LONG,x,2027-06-01 12:00,,,
n,,Queue,x,queue,,,
""".replace("LONG", "x" * 281)

FAULTS = [
    (3, "at", "unreadable"), (4, "at", "unreadable"), (5, "at", "time_past"), (6, "time_zone", "time_zone_unknown"),
    (7, "text", "content_required"), (8, "accounts", "accounts_required"), (9, "accounts", "account_unknown"),
    (10, "accounts", "account_repeated"), (11, "media", "media_unknown"), (12, "key", "key_repeated"),
    (12, "options", "unreadable"), (13, "key", "key_repeated"), (14, "text", "encoding"), (15, "text", "text_length"),
    (16, "at", "no_free_slot"),
]  # fmt: skip


def test_every_fault_has_its_row_and_column(scene: Scene) -> None:
    report = load(scene, BROKEN)
    assert faults(report) == FAULTS
    assert (report["imported"], report["refused"], report["posts"]) == (0, 14, [])
    assert targets(scene) == []
    assert all(problem["message"] for problem in report["problems"])
    assert not any(
        word in json.dumps(report) for word in ("tomorrow", "nobody", "gone", "Mars/")
    )  # cells stay out


def test_valid_rows_alone(scene: Scene) -> None:
    report = load(scene, BROKEN, "valid")
    assert faults(report) == FAULTS
    assert (report["imported"], report["refused"]) == (1, 14)
    assert [body for body, _, _ in targets(scene)] == ["Fine"]
    assert scalar(scene.db, "select count(*) from public.posts") == 1
    assert rows(scene.db, "select key from public.post_imports") == [("ok",)]
    assert scalar(scene.db, "select count(*) from private.queue where lane = 'publish'") == 1


def test_checking_writes_nothing(scene: Scene) -> None:
    report = load(scene, "text,accounts,at\nFine,x,2027-06-01 12:00\nFine,x,2027-06-02 12:00\n", "check")
    assert (report["rows"], report["imported"], faults(report)) == (2, 0, [])
    assert [(p["row"], p["code"]) for p in report["problems"]] == [(3, "repeated_text")]
    assert targets(scene) == []


def test_a_row_is_imported_once_however_often_the_file_comes(scene: Scene) -> None:
    table = "key,text,accounts,at\na,A,x,2027-06-01 12:00\nb,B,x,2027-06-01 13:00\n"
    first = load(scene, table)
    again = load(scene, table + "c,C,x,2027-06-01 14:00\n")
    assert (again["imported"], again["existing"]) == (1, 2)
    assert [post["is_new"] for post in again["posts"]] == [False, False, True]
    assert [post["post_id"] for post in again["posts"]][:2] == [post["post_id"] for post in first["posts"]]
    with acting_as(scene.db, scene.person):
        rows(scene.db, "delete from public.posts where body = 'A' returning id")
    assert load(scene, table)["imported"] == 1
    assert [body for body, _, _ in targets(scene)] == ["A", "B", "C"]


def test_a_repeat_with_a_key_is_an_answer(scene: Scene) -> None:
    key = uuid.uuid4()
    table = "text,accounts\nA,x\n"
    first = load(scene, table, key=key)
    assert load(scene, table, key=key) == first
    assert scalar(scene.db, "select count(*) from public.posts") == 1
    with acting_as(scene.db, scene.person), denied(scene.db, "NX003"):
        scalar(scene.db, CSV, table, "valid", None, key, NOW)


def test_rows_fill_the_free_slots_in_their_order(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        rows(
            scene.db,
            """insert into public.queue_slots (connection_id, weekday, local_time, time_zone)
               values (%s, 1, '09:00', 'UTC'), (%s, 4, '18:00', 'UTC') returning id""",
            scene.account, scene.account,
        )  # fmt: skip
    load(scene, "text,accounts,at\nA,x,queue\nB,x,Queue\nC,x,QUEUE\n")
    assert [at for _, _, at in targets(scene)] == [
        datetime(2027, 1, 4, 9, tzinfo=UTC), datetime(2027, 1, 7, 18, tzinfo=UTC),
        datetime(2027, 1, 11, 9, tzinfo=UTC)]  # fmt: skip


def test_accounts_media_and_options(scene: Scene) -> None:
    linkedin = connect_account(scene.db, scene.person, "linkedin")
    with acting_as(scene.db, scene.person):
        scene.db.execute("reset role")
    for name in ("a.png", "sub/b.png"):
        scene.db.execute(
            """insert into public.media (user_id, object_name, kind, mime_type, size_bytes, alt_text)
               values (%s, %s, 'image', 'image/png', 10, 'x')""",
            (scene.person.user_id, f"{scene.person.user_id}/{name}"),
        )
    report = load(
        scene,
        "text,accounts,media,options\n"
        f'Two,x|{linkedin},sub/b.png|a.png,"{{""linkedin"": {{""visibility"": ""PUBLIC""}}}}"\n'
        ",LinkedIn:mira,a.png,\n",
    )
    assert (report["imported"], faults(report)) == (2, [])
    assert rows(scene.db, "select platform_id, options from public.post_targets where options <> '{}'") == [
        ("linkedin", {"visibility": "PUBLIC"})
    ]
    names = """select string_agg(right(m.object_name, 5), ' ' order by pm.position)
               from public.post_media pm join public.media m"""
    assert rows(scene.db, f"{names} on m.id = pm.media_id group by post_id order by 1") == [
        ("a.png",),
        ("b.png a.png",),
    ]  # type: ignore[arg-type]


def test_an_account_needs_a_handle_where_there_are_two(scene: Scene) -> None:
    second = connect_account(scene.db, scene.person, "x")
    scene.db.execute("update public.connections set handle = 'nora' where id = %s", (second,))
    assert faults(load(scene, "text,accounts\nA,x\n")) == [(2, "accounts", "account_ambiguous")]
    load(scene, "text,accounts\nA,x:nora\n")
    assert rows(scene.db, "select connection_id from public.post_targets") == [(second,)]
    scene.db.execute("select private.revoke_connection(%s, 'gone')", (second,))
    assert faults(load(scene, "text,accounts\nA,x:nora\n")) == [(2, "accounts", "account_not_usable")]


def test_a_guard_against_formulas_is_no_text(scene: Scene) -> None:
    load(scene, "text,accounts\n'=1+1,x\n@mira hello,x\n'quoted',x\n")
    assert {body for body, _, _ in targets(scene)} == {"=1+1", "@mira hello", "'quoted'"}


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "column 1"), ("text,colour\nA,red\n", "column 2"), ("text,Text\nA,B\n", "column 2"),
        ("text,at\nA,,surplus\n", "fields in row 2"), ('text\n"A', "quote in row 2"),
    ],
)  # fmt: skip
def test_a_table_that_is_none(scene: Scene, text: str, detail: str) -> None:
    with acting_as(scene.db, scene.person), pytest.raises(psycopg.Error) as caught, scene.db.transaction():
        scalar(scene.db, CSV, text, "all", None, None, NOW)
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("NX457", detail)


def test_short_rows_have_empty_cells(scene: Scene) -> None:
    assert load(scene, "text,accounts,at\nA\n")["imported"] == 1
    assert load(scene, "text,accounts,at\n")["rows"] == 0


def test_the_same_as_json(scene: Scene) -> None:
    call = "select public.import_posts(%s, %s)"
    with acting_as(scene.db, scene.person):
        report = scalar(
            scene.db,
            call,
            json.dumps([{"text": "A", "accounts": "x", "at": "2099-06-01 12:00"}, {"text": "B", "at": None}]),
            "all",
        )
        assert (report["imported"], [post["row"] for post in report["posts"]]) == (2, [1, 2])
        for given, detail in (
            ([1], "row 1"),
            ([{"text": "A"}, {"txt": "A"}], "row 2"),
            ([{"text": 1}], "row 1"),
            ({}, "rows"),
        ):
            with pytest.raises(psycopg.Error) as caught, scene.db.transaction():
                scalar(scene.db, call, json.dumps(given), "all")
            assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("NX457", detail)
        assert scalar(scene.db, call, "[]", "all")["rows"] == 0
        with denied(scene.db, "NX002"):
            scalar(scene.db, call, "[]", "some")


def test_the_columns_are_documented(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        columns = rows(scene.db, "select name, description, example from public.list_import_columns()")
    assert [name for name, _, _ in columns] == [
        "key",
        "title",
        "text",
        "accounts",
        "at",
        "time_zone",
        "media",
        "options",
    ]
    assert all(description and example for _, description, example in columns)


def test_accounts_of_somebody_else_are_unknown(scene: Scene) -> None:
    with acting_as(scene.db, create_person(scene.db)):
        report = scalar(scene.db, CSV, f"text,accounts\nA,{scene.account}\nB,x\n", "all", None, None, NOW)
    assert faults(report) == [(2, "accounts", "account_unknown"), (3, "accounts", "account_unknown")]
    with acting_as(scene.db, None), denied(scene.db, "42501"):
        rows(scene.db, "select public.import_posts('[]')")


def test_the_same_file_from_two_tabs_at_once(db_url: str) -> None:
    with psycopg.connect(db_url) as connection:
        scene = make_scene(connection)
        connection.execute("delete from public.posts")
    table = "key,text,accounts,at\n" + "".join(
        f"k{n},Number {n},x,2099-06-01 12:{n}\n" for n in range(10, 40)
    )
    start, reports = threading.Barrier(3), []

    def run() -> None:
        with psycopg.connect(db_url) as session:
            start.wait()
            with session.transaction(), acting_as(session, scene.person):
                reports.append(scalar(session, "select public.import_posts_csv(%s)", table))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((report["imported"], report["existing"]) for report in reports) == [
        (0, 30),
        (0, 30),
        (30, 0),
    ]
    with psycopg.connect(db_url) as connection:
        assert scalar(connection, "select count(*) from public.post_targets") == 30


def test_five_thousand_rows_come_in_with_one_call(db_url: str) -> None:
    """In a database of its own: in one where thousands of rows were rolled back, the planner knows nothing."""
    lines = [
        f"k{n},Number {n} of a long plan,x,2027-{1 + n % 12:02}-{1 + n % 28:02} {n % 24:02}:{n % 60:02}"
        for n in range(5000)
    ]
    with psycopg.connect(db_url) as connection:
        scene = make_scene(connection)
        assert load(scene, "\n".join(["key,text,accounts,at", *lines]))["imported"] == 5000
