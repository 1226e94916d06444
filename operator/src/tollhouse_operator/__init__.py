"""The operator, the life without a cluster, and the command line.

kopf handlers, pure manifest builders, the folder supervisor (`tollhouse up`), the local token
issuer and `tollhouse`. It never imports the proxy: it makes one, and starts it as a process.
"""
