"""kopf handlers: what happens in the cluster, and what is then looked at again. Nothing is done here.

Handlers are low-level (`on.event`): they keep no state in people's objects, neither annotations
nor finalizers, and they run at once. The work itself is in `reconcile`.
"""
