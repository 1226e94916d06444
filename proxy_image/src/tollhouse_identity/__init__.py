"""Proves who is asking: OIDC tokens and this cluster's ServiceAccount tokens.

The way of a token: `form` (three clean parts, strict JSON) -> `checks` (header) -> `trust` (the
exact issuer chooses the providers) -> `keys` and `key_cache` (which published key, fetched by
`fetch` and `discovery`) -> `jws` (the signature) -> `checks` (claims) -> `claims` (an Identity).
`prover` strings them together. Nothing here judges what an identity may do.

A package of its own because two programs ask: a proxy, and the token endpoint of the operator's image.
"""
