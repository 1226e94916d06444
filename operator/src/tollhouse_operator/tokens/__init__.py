"""The token endpoint: trades proofs of identity for short-lived tokens of our own.

`exchange` (RFC 8693) and `saml` prove who somebody is, `minting` writes the token, `keyring` keeps the
keys in a Secret, `server` speaks HTTP. It gives nobody a right: policies do, and they mean the same people
as before.
"""
