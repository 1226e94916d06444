"""The one door every operation passes: newest bundle, decision, limits, approval, audit, verdict.

What belongs here: the order of those steps, and nothing a protocol knows. Fail closed: whatever
cannot be judged or recorded is refused; an unexpected error is not caught here, so that the
runtime's outer edge ends the session.
"""
