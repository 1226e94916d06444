"""The test kit: real servers for tests, one module per part, and what tests need to talk to them.

Here belongs how a part is found, fetched or built (`cache`, `parts`), started on free ports and taken
down again (`process`), and the object a test holds (`postgres`, `openbao`, `control_plane`, `node`).
Nothing here asserts anything about Tollhouse, and nothing here imports it.

A part is looked for where its user already has it (an environment variable, then PATH), then in the
cache (TOLLHOUSE_CACHE, default ~/.cache/tollhouse), and only then fetched or built. What cannot be had
raises `MissingPart`, which says in one line what is missing and how to get it.
"""
