"""PostgreSQL's protocol 3, bytes to messages and back. No decision is made here.

A parser returns a message, says that it needs more, or raises ProtocolError. Every message class
has `parse(body)` and `encode()`; a body must be consumed exactly. Source: the chapter
"Frontend/Backend Protocol" of PostgreSQL's documentation.
"""
