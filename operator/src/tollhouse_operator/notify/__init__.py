"""Telling people outside of the cluster about ApprovalRequests: what, when again, and how it is sent."""
