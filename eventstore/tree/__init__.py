"""The RFC 6962 tree over the log: hashes, tiles, signed heads and proofs."""
