"""The stores over a folder: what `tollhouse up` uses where a cluster has the Kubernetes API.

    FOLDER/*.yaml                                       what people write; Secrets are read from it
    FOLDER/state/bundles/<namespace>/<connection>.json  written by the supervisor
    FOLDER/state/approvals/<namespace>/<name>.yaml      ApprovalRequests; everybody's, see `objects`
    FOLDER/state/reports/<namespace>/<connection>/<instance>.json
    FOLDER/state/secrets/<namespace>/<name>.json        Secrets made by the supervisor, mode 0600

Files are replaced whole (written beside, synced, renamed), so nobody reads half of one.
"""

from tollhouse_proxy.adapters.folder.stores import FolderStores, folder_stores

__all__ = ["FolderStores", "folder_stores"]
