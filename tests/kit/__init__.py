"""The test kit: real servers for tests, one module per part, and what tests need to talk to them.

Here belongs how a part is found, fetched or built (`cache`, `parts`), started on free ports and taken
down again (`process`), and the object a test holds (`postgres`, `openbao`, `control_plane`, `node`).
Those modules assert nothing about Tollhouse and do not import it. Beside them stand the surroundings that
unit tests share (issuers and tokens, clocks, stores in memory), which may.

A part is looked for where its user already has it (an environment variable, then PATH), then in the
cache (TOLLHOUSE_CACHE, default ~/.cache/tollhouse), and only then fetched or built. What cannot be had
raises `MissingPart`, which says in one line what is missing and how to get it.
"""
