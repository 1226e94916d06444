"""Test suites nobody here wrote, run directly and through the proxy under a policy that allows everything.

Here is what starts servers, proxies and suites, and what compares their counts. The suites themselves are not
here: each is run from a source tree or package that `docs/suites.md` names.
"""
