"""What the API server asks before it stores something.

`review` and `votes` are pure: a request in, an answer out. `server` speaks HTTPS. Where the API
server serves MutatingAdmissionPolicy v1, votes are handled inside it by the chart's policies and
`votes` is not asked at all.
"""
