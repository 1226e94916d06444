"""Approvals: what people are asked, who may answer, and what their answers add up to.

Pure functions on ApprovalRequests: `digest` names exactly one action, `request` writes what people
read, `admission` stamps or refuses a vote, `tally` counts. Who stores, watches or waits is not in
here.
"""
