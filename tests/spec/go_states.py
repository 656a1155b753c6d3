"""States of digests as Go writes them."""

from __future__ import annotations

#: What Go's crypto/sha256 marshals after ``Write([]byte("abc"))``.
ABC_SHA256 = bytes.fromhex(
    "73686103"
    "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
    "616263" + "00" * 61 + "0000000000000003"
)

#: And crypto/sha512 after the same, with the starting words of FIPS 180-4, 5.3.5.
ABC_SHA512 = bytes.fromhex(
    "73686107"
    "6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1"
    "510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179"
    "616263" + "00" * 125 + "0000000000000003"
)

#: SHA-384 begins with other words (FIPS 180-4, 5.3.4).
EMPTY_SHA384 = bytes.fromhex(
    "73686104"
    "cbbb9d5dc1059ed8629a292a367cd5079159015a3070dd17152fecd8f70e5939"
    "67332667ffc00b318eb44a8768581511db0c2e0d64f98fa747b5481dbefa4fa4"
    + "00" * 128
    + "0000000000000000"
)
