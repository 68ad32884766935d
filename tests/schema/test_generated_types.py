"""The types are the generator's, tidied, and compile in a strict front end."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from workers.embedded.api import find_node, local_program
from workers.schema import generated_types, tools
from workers.schema.scratch import Scratch

ROOT = Path(__file__).resolve().parents[2]
_FRONT_END = """
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { Database, Enums, Tables, TablesInsert, TablesUpdate } from "./database.types";

const client: SupabaseClient<Database> = createClient<Database>("http://127.0.0.1", "key");
export const profile: Pick<Tables<"profiles">, "handle"> = { handle: "ada" };
export const change: TablesUpdate<"profiles"> = { display_name: "Ada" };
export const state: Enums<"connection_state"> = "active";
export type Draft = TablesInsert<"posts">;
export async function handles(): Promise<string[]> {
  const { data, error } = await client.from("profiles").select("handle");
  if (error) throw error;
  return data.map((row) => row.handle);
}
"""


def _compile(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / generated_types.PATH, folder / "database.types.ts")
    (folder / "front_end.ts").write_text(source)
    link = folder / "node_modules"
    if not link.exists():
        link.symlink_to(ROOT / "supabase/local/node_modules")
    options = [
        "--strict",
        "--noEmit",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
    ]
    options += ["--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--skipLibCheck"]
    command = [find_node(), str(local_program("tsc")), *options, "front_end.ts", "database.types.ts"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_strict_front_end_compiles(tmp_path: Path) -> None:
    done = _compile(tmp_path, _FRONT_END)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('handle: "ada"', "handle: 1"), ('"active"', '"planted"'), ('from("profiles")', 'from("planted")')],
)
def test_a_front_end_that_is_wrong_does_not_compile(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in _FRONT_END
    assert _compile(tmp_path, _FRONT_END.replace(right, wrong)).returncode != 0


def test_tidying_moves_blanks_only(scratch: Scratch, template_db: str) -> None:
    raw = tools.generated_types(scratch.stack.url(template_db))
    raw = raw[raw.index("export type Json") :]
    tidied = generated_types.tidy(raw)
    assert re.sub(r"\s", "", tidied) == re.sub(r"\s", "", raw)
    assert generated_types.tidy(tidied) == tidied


def test_nothing_but_public_is_in_them() -> None:
    text = (ROOT / generated_types.PATH).read_text()
    assert '"public": {' in text
    assert not re.search(r'"(?:private|worker|retained|auth|storage)": \{', text)
