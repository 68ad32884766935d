// Hosted: changing the password ends every other session of the person (supabase/auth, `User.UpdatePassword`), so that a
// thief who is signed in is thrown out.
// Lite: leaves them all.
// Can go when a second session's refresh token is refused after `PUT /auth/v1/user` with a password.
export const passwords = {
  name: "passwords",
  handler:
    (next, { sql }) =>
    async (request, peer) => {
      if (request.method !== "PUT" || new URL(request.url).pathname !== "/auth/v1/user") return next(request, peer);
      const body = await request.clone().json().catch(() => ({}));
      const response = await next(request, peer);
      if (response.ok && body.password) await endOtherSessions(sql, request);
      return response;
    },
};

async function endOtherSessions(sql, request) {
  // Lite has verified the token, or the answer would not be ok.
  const [, payload] = request.headers.get("authorization").split(".");
  const { sub, session_id: current } = JSON.parse(Buffer.from(payload, "base64url").toString());
  await sql`delete from auth.sessions where user_id = ${sub} and id <> ${current}`;
}
