// A browser as far as an OAuth journey needs one: follows redirects one by one, keeps cookies per host and path, and
// answers a consent page by filling in its form.

export class Browser {
  #cookies = []; // {host, path, name, value}
  /** Every address that was visited, without its query. */
  visited = [];

  /**
   * Opens `url` and goes on until a redirect leads to an address that starts with `destination`, which is returned
   * and not opened. On a page with a form, `fill` gives the answers: {field name: value or array of values}.
   */
  async open(url, destination, fill) {
    let request = { url: new URL(url), init: {} };
    for (let step = 0; step < 20; step++) {
      const response = await this.#send(request);
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location) {
        const next = new URL(location, request.url);
        if (next.href.startsWith(destination)) return next;
        request = { url: next, init: {} };
        continue;
      }
      const page = await response.text();
      if (response.status !== 200) throw new Error(`${request.url.pathname} answered ${response.status}: ${page.slice(0, 500)}`);
      request = submit(page, request.url, fill);
    }
    throw new Error("redirected too often");
  }

  async #send({ url, init }) {
    this.visited.push(url.origin + url.pathname);
    const cookie = this.#cookies
      .filter((one) => one.host === url.host && url.pathname.startsWith(one.path))
      .map((one) => `${one.name}=${one.value}`)
      .join("; ");
    const headers = { ...init.headers, ...(cookie && { cookie }) };
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) this.#keep(url, line);
    return response;
  }

  #keep(url, line) {
    const [pair, ...attributes] = line.split(";").map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf("="));
    const value = pair.slice(pair.indexOf("=") + 1);
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? "/";
    this.#cookies = this.#cookies.filter((one) => one.host !== url.host || one.name !== name || one.path !== path);
    const ended = attributes.some((one) => /^max-age=(0|-\d+)$/i.test(one));
    if (!ended && value) this.#cookies.push({ host: url.host, path, name, value });
  }
}

/** The request that a person's click on the form's button makes. */
function submit(page, url, fill) {
  const form = page.match(/<form\b[^>]*>/i)?.[0];
  if (!form) throw new Error(`a page without a form: ${page.slice(0, 500)}`);
  const fields = new URLSearchParams();
  for (const [tag] of page.matchAll(/<input\b[^>]*>/gi)) {
    if (attribute(tag, "type") === "hidden") fields.append(attribute(tag, "name"), attribute(tag, "value"));
  }
  const offered = new Set([...page.matchAll(/\bname="([^"]*)"/gi)].map(([, name]) => name));
  for (const [name, values] of Object.entries(fill)) {
    if (!offered.has(name)) continue;
    for (const value of [values].flat()) fields.append(name, value);
  }
  const action = new URL(attribute(form, "action") || url.href, url);
  return { url: action, init: { method: "POST", body: fields, headers: {} } };
}

function attribute(tag, name) {
  const text = tag.match(new RegExp(`\\b${name}="([^"]*)"`, "i"))?.[1] ?? "";
  return text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&#x27;", "'");
}
