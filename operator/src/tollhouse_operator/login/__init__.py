"""Logging in as a person, from a terminal: the device flow (RFC 8628), and the tokens that come of it.

`device` speaks with the identity provider, `wallet` keeps tokens in files that are the user's alone,
`feeding` writes them down the way clients take them. Nothing here is trusted by a proxy: it asks the
same things of these tokens as of any others.
"""
