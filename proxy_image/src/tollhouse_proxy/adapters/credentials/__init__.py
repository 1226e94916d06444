"""Where the proxy gets what it logs in to a backend with: Vault, or a Secret.

`factory.credential_source` is the way in. `vault_api` is Vault's HTTP API in the words we need
(the one importer of hvac), `vault_engines` what is asked of each engine (`ssh_certificates` checks
what one of them signs), `vault` the CredentialSource over them, `kubernetes_secret` the other one.
Secrets are held in `Secret` only; no error here carries a server's answer, since that could hold one.
"""
