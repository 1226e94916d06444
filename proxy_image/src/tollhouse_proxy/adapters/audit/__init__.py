"""Where audit events go: sealed once, by one writer thread, into every sink the same lines.

`AuditSinks` is the port's implementation; `lines` holds what bytes can be written to; `spool`
keeps what a sink cannot take now, where the Connection allows it; `signing` reads the key.
Nothing here decides what is recorded (that is the guard's).
"""
