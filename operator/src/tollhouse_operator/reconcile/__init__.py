"""Making the cluster as the objects say: gather, pure decisions, apply.

One module for each piece of work; each looks at one key (a namespace, a Connection, a request) and
may be run again at any time with the same result. `Desk` holds what they share.
"""
