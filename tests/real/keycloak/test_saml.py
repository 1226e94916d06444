"""SAML as a real Keycloak speaks it."""

from __future__ import annotations

import html
import re
import time

import pytest

from kit.keycloak import PASSWORD, SAML_AUDIENCE, Keycloak
from kit.trusting import provider
from real.keycloak.browsing import Browser
from tollhouse_operator.tokens.saml import SamlParty, identity_in
from tollhouse_operator.tokens.saml_document import BadAssertion

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(1800)]


def test_a_person_of_the_realm_is_proved_by_its_own_realm_only(keycloak: Keycloak) -> None:
    browser = Browser()
    page = browser.open(f"{keycloak.issuer('corp')}/protocol/saml/clients/tollhouse")
    page = browser.submit(page, username="ann", password=PASSWORD)
    found = re.search(r'name="SAMLResponse"\s+value="([^"]+)"', page, re.IGNORECASE)
    assert found is not None, page
    response = html.unescape(found[1])
    made = provider("corp-saml", saml={"metadataRef": {"secret": "s", "key": "k"}, "audience": SAML_AUDIENCE})
    parties = {
        realm: SamlParty(made, keycloak.saml_metadata(realm), "https://tokens.tollhouse.example")
        for realm in ("corp", "partners")
    }
    with pytest.raises(BadAssertion, match="do not hold"):
        identity_in(response, parties["partners"], None, time.time())
    identity = identity_in(response, parties["corp"], None, time.time())
    assert (identity.name, set(identity.groups)) == ("ann", {"managers", "support"})
