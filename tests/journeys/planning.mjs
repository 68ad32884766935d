// A month's plan in plain supabase-js, and none of our code in between.
//
// Environment: JOURNEY = {"url", "publishableKey", "email", "password", "connectionId"}. Prints one JSON object; any failed
// expectation ends it with a non-zero exit code.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../supabase/local/package.json", import.meta.url));
const { createClient } = require("@supabase/supabase-js");

const { url, publishableKey, email, password, connectionId } = JSON.parse(process.env.JOURNEY);
const client = createClient(url, publishableKey, { auth: { persistSession: false, autoRefreshToken: false } });

/** The data of an answer that must not be an error. */
async function data(answer) {
  const { data: found, error } = await answer;
  assert.equal(error, null, JSON.stringify(error));
  return found;
}

await data(client.auth.signInWithPassword({ email, password }));

// A table as a spreadsheet writes it: what is wrong comes back by row and column, and nothing is imported.
const table = '\ufefftext;accounts;at\r\n"First; ""light""\r\nover the harbour";x;2099-06-01 12:00\r\nLate;x;2020-01-01 12:00\r\n';
const refused = await data(client.rpc("import_posts_csv", { p_csv: table }));
assert.deepEqual([refused.imported, refused.refused], [0, 1]);
assert.deepEqual([refused.problems[0].row, refused.problems[0].column, refused.problems[0].code], [3, "at", "time_past"]);
const report = await data(client.rpc("import_posts_csv", { p_csv: table, p_mode: "valid", p_time_zone: "Europe/Berlin" }));
const [{ post_id: imported }] = report.posts;
const post = await data(
  client.from("posts").select("body, post_targets(id, state, scheduled_at, target_local_times(local_time, time_zone))")
    .eq("id", imported).single(),
);
assert.equal(post.body, 'First; "light"\nover the harbour');
const [target] = post.post_targets;
assert.equal(Date.parse(target.scheduled_at), Date.parse("2099-06-01T10:00:00Z"));
const meant = [target.target_local_times].flat()[0];
assert.deepEqual([meant.local_time, meant.time_zone], ["2099-06-01T12:00:00", "Europe/Berlin"]);

// Dragging it in a calendar, with the revision that was on the screen.
const moved = await data(client.rpc("move_target", { p_target_id: target.id, p_at: "2099-06-02T10:00:00Z", p_revision: 1 }));
assert.equal(moved[0].revision, 2);
const { error: stale } = await client.rpc("move_target", { p_target_id: target.id, p_at: "2099-06-03T10:00:00Z", p_revision: 1 });
assert.equal(stale.code, "NX454");

// Slots, and the next free one.
await data(client.from("queue_slots").insert({ connection_id: connectionId, weekday: 1, local_time: "09:00", time_zone: "UTC" }));
const { id: second } = await data(client.from("posts").insert({ body: "Second" }).select().single());
await data(client.from("post_targets").insert({ post_id: second, connection_id: connectionId }));
const [free] = await data(client.rpc("next_free_slot", { p_connection_id: connectionId }));
const [queued] = await data(client.rpc("add_to_queue", { p_post_id: second }));
assert.equal(Date.parse(queued.scheduled_at), Date.parse(free.at));
const warnings = await data(client.rpc("check_schedule", { p_post_id: second, p_at: "2099-06-02T10:05:00Z" }));
assert.deepEqual(warnings.map((one) => one.rule), ["spacing"]);

// A series, and a calendar feed.
const { id: template } = await data(client.from("posts").insert({ body: "Week {n}" }).select().single());
await data(client.from("post_targets").insert({ post_id: template, connection_id: connectionId }));
const [series] = await data(client.rpc("create_series", {
  p_post_id: template, p_rule: "FREQ=WEEKLY;COUNT=3", p_starts_on: "2098-01-01", p_local_time: "09:00", p_time_zone: "Europe/Berlin",
}));
assert.deepEqual([series.occurrence_count, series.warnings], [3, []]);
const planned = await data(client.rpc("list_occurrences", { p_series_id: series.series_id }));
assert.deepEqual(planned.map((one) => one.state), ["planned", "planned", "planned"]);
const [feed] = await data(client.rpc("create_calendar_feed", { p_name: "My plan" }));
assert.equal(await data(client.rpc("revoke_calendar_feed", { p_feed_id: feed.feed_id })), true);

console.log(JSON.stringify({ feed: feed.url, imported }));
