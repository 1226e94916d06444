"""Where the proxy gets what it logs in to a backend with: Vault, or a Secret.

`factory.credential_source` is the way in. `vault_api` is Vault's HTTP API in the words we need
(the one importer of hvac), `vault` the CredentialSource over it, `kubernetes_secret` the other one.
Secrets are held in `Secret` only; no error here carries a server's answer, since that could hold one.
"""
