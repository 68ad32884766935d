// Hosted: Auth asks the hook "Before User Created" (supabase/auth, internal/api/hooks.go) and passes its refusal on; the
// answer carries the hook's message and status, and no code of its own.
// Lite: knows no hooks. What a trigger on auth.users refuses comes out as an unexpected failure.
// Can go when lite reads `auth.hook.before_user_created`.
export const hooks = {
  name: "hooks",
  handler:
    (next, { sql, config }) =>
    async (request, peer) => {
      const isSignUp = request.method === "POST" && new URL(request.url).pathname === "/auth/v1/signup";
      if (!isSignUp || !config.beforeUserCreated) return next(request, peer);
      const { email, data } = await request.clone().json().catch(() => ({}));
      const refusal = await askHook(sql, config.beforeUserCreated, { email, user_metadata: data ?? {} });
      return refusal ? refused(refusal) : next(request, peer);
    },
};

/** The hook's error, {http_code, message}; undefined where it has none, or where there is no such function. */
async function askHook(sql, name, user) {
  const event = { metadata: { name: "before-user-created", time: new Date().toISOString() }, user };
  return sql.begin(async (transaction) => {
    const [{ hook }] = await transaction`select to_regproc(${name})::text as hook`;
    if (!hook) return undefined;
    await transaction`set local role supabase_auth_admin`;
    const [row] = await transaction.unsafe(`select ${hook}($1::text::jsonb) as answer`, [JSON.stringify(event)]);
    return row.answer.error;
  });
}

function refused({ http_code: status = 500, message }) {
  return Response.json({ code: "unknown", message }, { status, headers: { "x-supabase-api-version": "2024-01-01" } });
}
