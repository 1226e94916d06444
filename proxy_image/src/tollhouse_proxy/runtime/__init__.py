"""Sockets, TLS, time: the one place of the proxy (beside the adapters) that waits.

`serving` accepts clients and ends them; `session` is one client's two connections around a machine; `dialing`
reaches backends; `tls` makes contexts; `lease` keeps a credential alive. A machine's exception ends its
session and nothing else.
"""
