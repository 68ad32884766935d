"""The types are the generator's, tidied, and compile in a strict front end."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

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


_WRONG = [('handle: "ada"', "handle: 1"), ('"active"', '"planted"'), ('from("profiles")', 'from("planted")')]
_OPTIONS = (
    "--strict --noEmit --target es2022 --module esnext --moduleResolution bundler"
    " --noUncheckedIndexedAccess --exactOptionalPropertyTypes --skipLibCheck"
)


def test_a_strict_front_end_compiles_and_one_that_is_wrong_does_not(tmp_path: Path) -> None:
    """All in one run of the compiler, which takes a second to start; each fault has a file of its own."""
    shutil.copy(ROOT / generated_types.PATH, tmp_path / "database.types.ts")
    (tmp_path / "node_modules").symlink_to(ROOT / "supabase/local/node_modules")
    (tmp_path / "right.ts").write_text(_FRONT_END)
    for number, (right, wrong) in enumerate(_WRONG):
        assert right in _FRONT_END
        (tmp_path / f"wrong_{number}.ts").write_text(_FRONT_END.replace(right, wrong))
    command = [find_node(), str(local_program("tsc")), *_OPTIONS.split(), *sorted(tmp_path.glob("*.ts"))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert set(re.findall(r"^(\w+)[\w.]*\(\d+,\d+\): error", done.stdout, re.MULTILINE)) == {
        f"wrong_{number}" for number in range(len(_WRONG))
    }, done.stdout


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
