// Errors in the form of the hosted storage service: the real status is in the body, the HTTP status is 400 or 500.

export class StorageError extends Error {
  /** `status` is the one in the body; `error` is the older name of the kind, `code` the newer one. */
  constructor(status, error, code, message) {
    super(message);
    Object.assign(this, { status, error, code });
  }

  toResponse() {
    const body = { statusCode: String(this.status), error: this.error, code: this.code, message: this.message };
    return Response.json(body, { status: this.status >= 500 ? 500 : 400 });
  }
}

export const noSuchBucket = () => new StorageError(404, "Bucket not found", "NoSuchBucket", "Bucket not found");
export const noSuchKey = () => new StorageError(404, "not_found", "NoSuchKey", "Object not found");
export const duplicate = () => new StorageError(409, "Duplicate", "KeyAlreadyExists", "The resource already exists");
export const denied = (message) => new StorageError(403, "Unauthorized", "AccessDenied", message);
export const invalid = (message) => new StorageError(400, "InvalidRequest", "InvalidRequest", message);
export const invalidKey = (key) => new StorageError(400, "InvalidKey", "InvalidKey", `Invalid key: ${key}`);
export const tooLarge = () =>
  new StorageError(413, "Payload too large", "EntityTooLarge", "The object exceeded the maximum allowed size");
export const wrongType = (type) =>
  new StorageError(415, "invalid_mime_type", "InvalidMimeType", `mime type ${type} is not supported`);
export const badSignature = (message) => new StorageError(400, "InvalidSignature", "InvalidSignature", message);
export const badToken = (message) => new StorageError(400, "InvalidJWT", "InvalidJWT", message);

/** What a client is told about any failure. Database errors are translated as the hosted service does. */
export function toStorageError(error) {
  if (error instanceof StorageError) return error;
  switch (error.code) {
    case "42501":
      return denied(
        error.message.includes("row-level security") ? "new row violates row-level security policy" : error.message,
      );
    case "23505":
      return duplicate();
    case "23503":
      return new StorageError(404, "InvalidRequest", "InvalidRequest", "The related resource does not exist");
    case "22P02":
      return new StorageError(400, "InvalidParameter", "InvalidParameter", error.message);
    case "57014":
      return new StorageError(544, "DatabaseTimeout", "DatabaseTimeout", "The connection to the database timed out");
    default:
      console.error(error);
      return new StorageError(500, "Internal", "InternalError", "Internal Server Error");
  }
}
