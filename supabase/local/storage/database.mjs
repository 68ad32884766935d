// Access to storage.buckets and storage.objects: under the caller's role, so that row level security decides, or as the
// owner of the tables, as the hosted service does once it has decided.

const ROLES = new Set(["anon", "authenticated", "service_role"]);
const UNDO = Symbol("undo");

export class StorageDatabase {
  /** `sql` is the connection pool, `caller` comes from caller.mjs, `operation` is what policies see. */
  constructor(sql, caller, operation) {
    Object.assign(this, { sql, caller, operation });
  }

  /** Runs `work(sql)` in a transaction under the caller's role and claims. */
  asCaller(work) {
    return this.sql.begin(async (sql) => {
      await this.#impersonate(sql);
      return work(sql);
    });
  }

  /** Runs `work(sql)` as the caller and undoes it: tells whether the caller may. */
  async permits(work) {
    let result;
    try {
      await this.asCaller(async (sql) => {
        result = await work(sql);
        throw UNDO;
      });
    } catch (error) {
      if (error !== UNDO) throw error;
    }
    return result;
  }

  /** Runs `work(sql)` in a transaction as the owner of the tables. */
  asOwner(work) {
    return this.sql.begin(async (sql) => {
      await sql`select set_config('storage.allow_delete_query', 'true', true)`;
      return work(sql);
    });
  }

  async #impersonate(sql) {
    const { role, owner, claims } = this.caller;
    if (!ROLES.has(role)) throw Object.assign(new Error(`role "${role}" is not allowed`), { code: "42501" });
    await sql`
      select set_config('role', ${role}, true),
             set_config('request.jwt.claims', ${JSON.stringify(claims)}, true),
             set_config('request.jwt.claim.sub', ${owner ?? ""}, true),
             set_config('request.jwt.claim.role', ${role}, true),
             set_config('storage.operation', ${this.operation}, true),
             set_config('storage.allow_delete_query', 'true', true)`;
  }
}

const isUuid = (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text ?? "");

/** The two columns that name the owner of a row; both are null for the secret key. */
export const ownerColumns = (owner) => ({ owner: isUuid(owner) ? owner : null, owner_id: owner });
