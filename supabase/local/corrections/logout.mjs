// Hosted: signing out without saying where ends every session of the person (supabase/auth, internal/api/logout.go).
// Lite: ends only the current one.
// Can go when another session's refresh token is refused after `POST /auth/v1/logout` without a scope.
export const logout = {
  name: "logout",
  handler: (next) => (request, peer) => {
    const url = new URL(request.url);
    if (url.pathname !== "/auth/v1/logout" || url.searchParams.get("scope")) return next(request, peer);
    url.searchParams.set("scope", "global");
    return next(new Request(url, request), peer);
  },
};
