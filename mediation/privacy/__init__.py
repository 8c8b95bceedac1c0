"""Personal data on its way into the log: values, sealed envelopes, algorithms; no database here."""

from mediation.privacy.clear import PRINTABLE, numbers_a_person
from mediation.privacy.sealed import (
    KEY_BYTES,
    NONCE_BYTES,
    Personal,
    Purpose,
    Sealed,
    Unsealed,
    aad_of,
    canonical,
    kid_of,
    open_sealed,
    personal_from_json,
    place_of,
    plain_for_digest,
    seal_value,
    sealed_values,
    stored_sealed_values,
    transform,
)

__all__ = [
    "KEY_BYTES",
    "NONCE_BYTES",
    "PRINTABLE",
    "Personal",
    "Purpose",
    "Sealed",
    "Unsealed",
    "aad_of",
    "canonical",
    "kid_of",
    "numbers_a_person",
    "open_sealed",
    "personal_from_json",
    "place_of",
    "plain_for_digest",
    "seal_value",
    "sealed_values",
    "stored_sealed_values",
    "transform",
]
