"""The stores of `tollhouse_proxy.ports.stores` on the Kubernetes API.

`client` is the one importer of the Kubernetes client and knows no object of ours; `watching`
makes endless watches out of it; the other modules each hold one store. Nothing here decides
anything about policies.
"""
