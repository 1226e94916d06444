"""Which settings a client may change, and which are ours to keep.

A setting is harmless (no rule needed), pinned (only the value we rely on), or neither: then a
rule must allow the command SET. The role has commands of its own, SET ROLE and SET SESSION AUTHORIZATION.
"""

from __future__ import annotations

from .statement import NotUnderstood
from .words import words

HARMLESS: frozenset[str] = words("""
application_name array_nulls backend_flush_after backslash_quote bytea_output check_function_bodies
client_connection_check_interval commit_delay commit_siblings constraint_exclusion cpu_index_tuple_cost
cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction datestyle deadlock_timeout default_statistics_target
default_table_access_method default_tablespace default_text_search_config default_toast_compression
default_transaction_deferrable default_transaction_isolation default_transaction_read_only
effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan enable_gathermerge
enable_hashagg enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan
enable_material enable_memoize enable_mergejoin enable_nestloop enable_parallel_append
enable_parallel_hash enable_partition_pruning enable_partitionwise_aggregate
enable_partitionwise_join enable_presorted_aggregate enable_seqscan enable_sort enable_tidscan
enable_group_by_reordering enable_self_join_elimination enable_distinct_reordering
escape_string_warning extra_float_digits from_collapse_limit geqo geqo_effort geqo_generations
geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold gin_fuzzy_search_limit
gin_pending_list_limit hash_mem_multiplier icu_validation_level idle_in_transaction_session_timeout
idle_session_timeout intervalstyle jit jit_above_cost jit_expressions jit_inline_above_cost
jit_optimize_above_cost jit_tuple_deforming join_collapse_limit lc_messages lc_monetary lc_numeric lc_time
lock_timeout logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem
max_parallel_maintenance_workers max_parallel_workers max_parallel_workers_per_gather
min_parallel_index_scan_size min_parallel_table_scan_size parallel_leader_participation
parallel_setup_cost parallel_tuple_cost plan_cache_mode quote_all_identifiers random_page_cost
recursive_worktable_factor restrict_nonsystem_relation_kind seq_page_cost statement_timeout
synchronize_seqscans synchronous_commit tcp_keepalives_count tcp_keepalives_idle
tcp_keepalives_interval tcp_user_timeout temp_buffers temp_tablespaces timezone
timezone_abbreviations transaction_deferrable transaction_isolation transaction_read_only
transaction_timeout vacuum_cost_delay work_mem xmlbinary xmloption seed
""")

_LEVELS = frozenset({"error", "warning", "notice", "log", "info"})
_PINNED: dict[str, frozenset[str]] = {
    "standard_conforming_strings": frozenset({"on", "true", "yes", "1", "t"}),
    "client_encoding": frozenset({"utf8", "utf-8", "unicode"}),
    "names": frozenset({"utf8", "utf-8", "unicode"}),
    "row_security": frozenset({"on", "off"}),
    "session_replication_role": frozenset({"origin", "default"}),
    "default_with_oids": frozenset({"off", "false", "0", "f", "no"}),
    "client_min_messages": _LEVELS,
    "transform_null_equals": frozenset({"off", "false", "0", "f", "no"}),
}
_REASONS = {
    "standard_conforming_strings": "Tollhouse reads every statement with standard_conforming_strings on.",
    "client_encoding": "Tollhouse speaks UTF8 with every client; leave client_encoding at UTF8.",
    "names": "Tollhouse speaks UTF8 with every client; leave client_encoding at UTF8.",
    "session_replication_role": "Triggers and foreign keys stay in force.",
    "client_min_messages": "Use notice, warning or error: debug messages may carry hidden data.",
    "transform_null_equals": "With it, what people approved (x = NULL: no row) would mean other rows.",
}

_ROLES: dict[str, tuple[str, frozenset[str]]] = {
    "role": ("SET ROLE", frozenset({"none", "default"})),
    "session_authorization": ("SET SESSION AUTHORIZATION", frozenset({"default"})),
}
"""Who the session is to the server: the command a rule must allow, and the values that go back to the role
of the Connection."""

MEANING = frozenset({"search_path", *_ROLES})
"""Settings that names are read by: what is known of the session is asked anew when one changes."""


def normal(name: str) -> str:
    """A setting's name as the server folds it."""
    return name.lower()


def may_set(name: str, value: str | None) -> bool:
    """True: harmless. False: a rule must allow it. Raises NotUnderstood for a pinned setting.

    `value` is None where it is not known beforehand (a parameter, an expression); the words of a
    list are joined with a comma.
    """
    return not command_for(name, value)


def command_for(name: str, value: str | None) -> str:
    """The command that a rule must allow, "" where none is needed. Raises NotUnderstood for a pinned one."""
    name = normal(name)
    if name in _ROLES:
        tag, back = _ROLES[name]
        return "" if value is not None and value.lower() in back else tag
    if name in _PINNED:
        folded = None if value is None else value.strip().strip("'\"").lower()
        if folded is not None and folded in _PINNED[name]:
            return ""
        raise NotUnderstood(
            f'the setting "{name}" cannot be changed'
            + (" to a value that is not known beforehand" if value is None else f' to "{value}"'),
            _REASONS.get(name, "It is pinned because the meaning of statements depends on it."),
        )
    return "" if name in HARMLESS or name == "search_path" else "SET"


_SPACES = " \t\n\r\f\v"
_NAME_BYTES = 63
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold(word: str) -> str:
    """An identifier without quotes as the server folds it in UTF8: ASCII letters only."""
    return word.translate(_LOWER)


def clip(identifier: str) -> str:
    """An identifier as the server keeps it: 63 bytes, cut at a character (NAMEDATALEN)."""
    return identifier.encode()[:_NAME_BYTES].decode(errors="ignore")


def split_path(value: str) -> tuple[str, ...]:
    """The schemas of a search_path as a setting's text: `"$user", public`."""
    found: list[str] = []
    rest = value.strip(_SPACES)
    while rest:
        if rest.startswith('"'):
            end, name = 1, ""
            while end < len(rest):
                if rest[end] == '"':
                    if rest[end + 1 : end + 2] == '"':
                        name += '"'
                        end += 2
                        continue
                    break
                name += rest[end]
                end += 1
            found.append(clip(name))
            rest = rest[end + 1 :].lstrip(_SPACES)
            rest = rest[1:].lstrip(_SPACES) if rest.startswith(",") else rest
        else:
            word, _, rest = rest.partition(",")
            if word.strip(_SPACES):
                found.append(clip(fold(word.strip(_SPACES))))
            rest = rest.lstrip(_SPACES)
    return tuple(name for name in found if name)
