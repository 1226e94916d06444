"""`python -m tollhouse_proxy explain`: what would happen to a statement, without running it.

The conversation, the catalog and the policy engine are the real ones; the judge decides and then
refuses, so that nothing is ever run. Nothing is audited and no limit is counted.
"""
