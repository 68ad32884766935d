"""The token vault: AES-256-GCM envelope encryption of OAuth tokens (P3.1, P3.4, P6.6).

Keys come from the environment and never reach the database; sealed records live in the database and never
reach a client. This package imports nothing of ours, so that it can be read and audited alone.
"""

from workers.vault.keyring import Keyring, KeyringError, KeyState, new_keyring_json
from workers.vault.sealing import (
    Sealable,
    TokenContext,
    TokenField,
    TombstoneContext,
    UploadContext,
    Vault,
    VaultError,
    VerifierContext,
    sealed_from_text,
    sealed_key_id,
    sealed_to_text,
)
from workers.vault.secret import SecretToken
from workers.vault.stream import CHUNK_BYTES, StreamContext, StreamError, StreamOpener, StreamSealer

__all__ = [
    "CHUNK_BYTES",
    "KeyState",
    "Keyring",
    "KeyringError",
    "Sealable",
    "SecretToken",
    "StreamContext",
    "StreamError",
    "StreamOpener",
    "StreamSealer",
    "TokenContext",
    "TokenField",
    "TombstoneContext",
    "UploadContext",
    "Vault",
    "VaultError",
    "VerifierContext",
    "new_keyring_json",
    "sealed_from_text",
    "sealed_key_id",
    "sealed_to_text",
]
