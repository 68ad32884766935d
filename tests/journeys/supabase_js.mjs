// The whole journey of a front end: plain supabase-js, and none of our code in between.
//
// Environment: JOURNEY = {"url", "publishableKey", "redirectTo", "image", "text"}. Prints one JSON object with what the
// test that started it needs to know. Any failed expectation ends it with a non-zero exit code.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { Browser } from "./browser.mjs";

const require = createRequire(new URL("../../supabase/local/package.json", import.meta.url));
const { createClient } = require("@supabase/supabase-js");

const { url, publishableKey, redirectTo, image, text } = JSON.parse(process.env.JOURNEY);
const auth = { persistSession: false, autoRefreshToken: false };
const newClient = (options = {}) => createClient(url, publishableKey, { auth, ...options });

/** The data of an answer that must not be an error. */
async function data(answer) {
  const { data: found, error } = await answer;
  assert.equal(error, null, JSON.stringify(error));
  return found;
}

/** The error of an answer that must be one. */
async function refusal(answer) {
  const { error } = await answer;
  assert.ok(error, "this should have been refused");
  return error;
}

async function until(look, seconds) {
  const giveUp = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < giveUp, `did not happen within ${seconds} s`);
    await sleep(100);
  }
}

async function signUp(client, name) {
  const email = `${name}.${crypto.randomUUID().slice(0, 8)}@people.example`;
  const password = `first light ${crypto.randomUUID()}`;
  const { user } = await data(client.auth.signUp({ email, password, options: { data: { birth_date: "1990-05-17" } } }));
  return { id: user.id, email, password };
}

const TABLES = "profiles connections media posts post_media post_targets target_events notifications".split(" ");

/** How many rows of the journey's tables this client sees that belong to `owner`. */
async function visibleRows(client, owner) {
  let seen = 0;
  for (const table of TABLES) {
    const { data: rows } = await client.from(table).select("*").eq("user_id", owner);
    seen += rows?.length ?? 0;
  }
  return seen;
}

// --- a child is refused, and told why ---------------------------------------------------------------------------------
const birthDate = new Date(Date.now() - 12 * 365 * 86_400_000).toISOString().slice(0, 10);
const tooYoung = await refusal(
  newClient().auth.signUp({
    email: `kid.${crypto.randomUUID().slice(0, 8)}@people.example`,
    password: `first light ${crypto.randomUUID()}`,
    options: { data: { birth_date: birthDate } },
  }),
);
assert.deepEqual([tooYoung.status, tooYoung.message], [403, "Nobody under 13 can have an account [NX101]"]);

// --- sign up ---------------------------------------------------------------------------------------------------------
const ada = newClient();
const me = await signUp(ada, "ada");
const account = await data(ada.rpc("my_account").single());
assert.equal(account.state, "active");

// --- connect an account: a link from the database, then redirects between the worker and the platform ----------------
const start = await data(
  ada.rpc("begin_connection", { p_platform: "x", p_features: ["profile", "publish"], p_redirect_to: redirectTo }),
);
const browser = new Browser();
const back = await browser.open(start, redirectTo, { person: "maya", decision: "allow" });
assert.deepEqual(await data(ada.from("connections").select("*")), [], "nothing is connected before she confirms");
const confirmation = { p_code: back.searchParams.get("connection_code") };
const [connection] = await data(ada.rpc("confirm_connection", confirmation));
assert.ok(connection, `came back to ${back}`);
assert.deepEqual(await data(ada.from("connections").select("*").eq("state", "active")), [connection]);
assert.deepEqual(await data(ada.rpc("confirm_connection", confirmation)), [connection], "twice is once");
assert.equal(connection.platform_id, "x");
assert.ok(connection.scopes.includes("tweet.write"));
assert.ok(!JSON.stringify(connection).includes("sealed"), "no token ever reaches a front end");

const stranger = new Browser();
await assert.rejects(
  async () => {
    const again = await stranger.open(start, redirectTo, { person: "jonas", decision: "allow" });
    if (again.searchParams.has("error")) throw new Error(again.searchParams.get("error"));
  },
  undefined,
  "a ticket works once",
);

// --- upload a picture ------------------------------------------------------------------------------------------------
const objectName = `${me.id}/${crypto.randomUUID()}.jpg`;
const bytes = await readFile(image);
await data(ada.storage.from("media").upload(objectName, bytes, { contentType: "image/jpeg" }));
const media = await data(
  ada.rpc("register_media", { p_object_name: objectName, p_alt_text: "A lake at first light", p_width: 1200, p_height: 675 }),
);
assert.equal(Number(media.size_bytes), bytes.length);
const { signedUrl } = await data(ada.storage.from("media").createSignedUrl(objectName, 60));
assert.deepEqual(Buffer.from(await (await fetch(signedUrl)).arrayBuffer()), bytes);
const unsigned = await fetch(`${url}/storage/v1/object/public/media/${objectName}`);
assert.ok(unsigned.status >= 400, "the bucket is private");

// --- write, aim, check, schedule -------------------------------------------------------------------------------------
const post = await data(ada.from("posts").insert({ body: text }).select().single());
await data(ada.from("post_media").insert({ post_id: post.id, media_id: media.id, position: 1 }));
const draft = await data(
  ada.from("post_targets").insert({ post_id: post.id, connection_id: connection.id }).select().single(),
);
assert.equal(draft.state, "draft");

const long = await data(ada.from("posts").insert({ body: "far too long ".repeat(60) }).select().single());
await data(ada.from("post_targets").insert({ post_id: long.id, connection_id: connection.id }));
const tooLong = await refusal(ada.rpc("schedule_post", { p_post_id: long.id, p_at: new Date().toISOString() }));
assert.equal(tooLong.code, "NX410");
assert.ok(JSON.parse(tooLong.details).length > 0, "the refusal says what is wrong");
assert.ok(tooLong.hint, "and what to do");

assert.deepEqual((await data(ada.rpc("check_post", { p_post_id: post.id }))).filter((p) => p.severity === "error"), []);
const order = {
  p_post_id: post.id,
  p_at: new Date(Date.now() + 1500).toISOString(),
  p_idempotency_key: crypto.randomUUID(),
};
const scheduled = await data(ada.rpc("schedule_post", order));
assert.deepEqual(scheduled.map((target) => target.state), ["scheduled"]);
const repeated = await data(ada.rpc("schedule_post", order));
assert.deepEqual(repeated.map((target) => target.id), [draft.id], "a repeated order is the same order");

// --- it is published -------------------------------------------------------------------------------------------------
const published = await until(async () => {
  const target = await data(ada.from("post_targets").select("*").eq("id", draft.id).single());
  assert.ok(["scheduled", "publishing", "published"].includes(target.state), JSON.stringify(target));
  return target.state === "published" && target;
}, 30);
assert.ok(published.external_id && published.external_url);
assert.ok(Date.parse(published.published_at) >= Date.parse(order.p_at) - 1000, "not before its time");

const events = await data(ada.from("target_events").select("*").eq("target_id", draft.id).order("at").order("id"));
assert.deepEqual(
  events.map((event) => event.to_state).filter((state) => state !== "draft"),
  ["scheduled", "publishing", "published"],
);

// --- nobody else sees any of it --------------------------------------------------------------------------------------
assert.ok((await visibleRows(ada, me.id)) >= 8);
const bob = newClient();
await signUp(bob, "bob");
assert.equal(await visibleRows(bob, me.id), 0);
assert.equal(await visibleRows(newClient(), me.id), 0);

// --- bob opens a link that ada began: he gives nothing away, and she gets nothing --------------------------------------
const trap = await data(
  ada.rpc("begin_connection", { p_platform: "x", p_features: ["profile", "publish"], p_redirect_to: redirectTo }),
);
const trapped = await new Browser().open(trap, redirectTo, { person: "jonas", decision: "allow" });
const takenBack = { p_code: trapped.searchParams.get("connection_code") };
for (const anybody of [bob, ada]) assert.deepEqual(await data(anybody.rpc("confirm_connection", takenBack)), []);
assert.equal((await data(ada.from("connections").select("*"))).length, 1);
await refusal(bob.storage.from("media").createSignedUrl(objectName, 60));
await refusal(bob.storage.from("media").download(objectName));
assert.deepEqual(await data(bob.from("posts").update({ body: "mine now" }).eq("id", post.id).select()), []);
assert.deepEqual(await data(bob.from("posts").delete().eq("id", post.id).select()), []);
const strangersOrder = await refusal(bob.rpc("publish_now", { p_post_id: post.id, p_idempotency_key: crypto.randomUUID() }));
const strangersCancel = await refusal(bob.rpc("cancel_target", { p_target_id: draft.id }));
const anonymous = await refusal(newClient().rpc("my_account"));
assert.equal(anonymous.code, "42501");

// --- sign out: the old access token is worth nothing -----------------------------------------------------------------
const { session } = await data(ada.auth.getSession());
const holder = newClient({ global: { headers: { Authorization: `Bearer ${session.access_token}` } } });
assert.ok((await visibleRows(holder, me.id)) >= 8, "the token works while the session lives");
assert.equal((await ada.auth.signOut()).error, null);
assert.equal(await visibleRows(holder, me.id), 0);
assert.equal((await refusal(holder.rpc("my_account"))).code, "NX001");
await refusal(holder.storage.from("media").createSignedUrl(objectName, 60));

console.log(
  JSON.stringify({
    userId: me.id,
    targetId: draft.id,
    externalId: published.external_id,
    externalUrl: published.external_url,
    cameBackTo: back.href,
    visited: browser.visited,
    email: me.email,
    accessToken: session.access_token,
    strangersOrder: strangersOrder.code,
    strangersCancel: strangersCancel.code,
  }),
);
process.exit(0);
