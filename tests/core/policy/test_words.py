"""What a decision says to people."""

from __future__ import annotations

from kit.judging import APPROVE, READ, judge
from kit.policies import bundle_of, command, table
from tollhouse_core.decision import Deny
from tollhouse_core.operation import Access, AccessKind, Verb
from tollhouse_core.policy.wording import listed, printable


def test_of_two_denies_the_first_by_name_is_the_one_told() -> None:
    rules = """
    - {name: b, deny: {sql: {commands: [VACUUM]}}}
    - {name: a, deny: {sql: {commands: ["*"]}}}
    """
    decision = judge(bundle_of(rules), command("VACUUM"))
    assert isinstance(decision, Deny)
    assert decision.rule.rule == "a"
    assert decision.message == "denied by policy agents, rule a"


def test_a_deny_says_policy_rule_and_its_own_message() -> None:
    bundle = bundle_of('[{name: never, deny: {sql: {commands: ["DROP *"]}, message: Ask the data team.}}]')
    decision = judge(bundle, command("DROP TABLE", "public", "orders"))
    assert isinstance(decision, Deny)
    assert decision.message == "denied by policy agents, rule never: Ask the data team."


def test_what_cannot_be_judged_is_named_where_it_has_a_name() -> None:
    bundle = bundle_of("- {allow: {sql: {functions: ['*']}}}")
    access = Access(Verb.UNKNOWN, AccessKind.OPAQUE, "function pg_catalog.query_to_xml")
    decision = judge(bundle, access)
    assert isinstance(decision, Deny)
    assert "function pg_catalog.query_to_xml cannot be judged" in decision.message


def test_what_has_no_name_is_refused_in_words_too() -> None:
    for nameless in ("", "Opaque"):
        decision = judge(bundle_of(READ), Access(Verb.UNKNOWN, AccessKind.OPAQUE, nameless))
        assert isinstance(decision, Deny)
        assert decision.message.startswith("denied: part of this operation was not understood")


def test_the_hint_says_what_would_be_allowed_what_is_alike_first() -> None:
    bundle = bundle_of("[{allow: {sql: {commands: [VACUUM]}}}]", READ, APPROVE)
    decision = judge(bundle, table("Select", "secrets"))
    assert isinstance(decision, Deny)
    assert decision.hint == (
        "Allowed: Select on orders, customers; Delete on * (with approval); commands VACUUM."
    )


def test_a_hint_is_bounded() -> None:
    names = ", ".join(f"table_number_{number}" for number in range(200))
    decision = judge(
        bundle_of(f"[{{allow: {{sql: {{access: [Select], tables: [{names}]}}}}}}]"), table("Select", "x")
    )
    assert isinstance(decision, Deny)
    assert len(decision.hint) < 500


def test_names_that_a_client_chose_cannot_lie_in_a_message() -> None:
    decision = judge(bundle_of(READ), table("Select", "public.or\u202ed\ners"))
    assert isinstance(decision, Deny)
    assert "or\\u{202e}d\\u{a}ers" in decision.message


def test_every_decision_names_the_revision() -> None:
    bundle = bundle_of(READ, APPROVE)
    for access in (table("Select", "orders"), table("Select", "x"), table("Delete", "orders")):
        assert judge(bundle, access).revision == bundle.revision


def test_words_of_a_client_are_shown_so_that_they_cannot_lie() -> None:
    assert printable("orders") == "orders"
    assert printable("\u202eorders\n") == "\\u{202e}orders\\u{a}"
    assert printable("aé", 20) == "a\\u{e9}"
    assert printable("abcdef", 4) == "abcd... (2 more)"
    assert printable("abcd", 4) == "abcd"


def test_of_a_list_that_is_too_long_the_first_are_shown_and_the_rest_counted() -> None:
    assert listed(["a", "b"], 10) == "a; b"
    assert listed(["abc", "def", "g"], 8) == "abc; and 2 more"
    assert listed(["abc", "d"], 8) == "abc; d"
    assert listed(["abcdefghij", "k"], 8) == "abcde...; and 1 more"
    assert listed([], 8) == ""
