"""Life without a cluster: a folder of YAML files in the place of the Kubernetes API.

Belongs here: reading the folder, making bundles of it, running one proxy for each Connection,
the embedded database, the local token issuer, approvals as files, the tour. Not here: arguments
and output of commands (`cli`), and anything a cluster's operator does by itself. The proxy is
never imported: it is started.
"""
