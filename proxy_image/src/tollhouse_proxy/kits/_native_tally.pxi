# The twins of tally.py.

from collections import deque as _deque


cdef class Intake:
    """See `tally.Intake`."""

    cdef readonly object queue
    cdef public object most, unavailable, wake, failure, closed, idle
    cdef public int64_t accepted

    def __init__(self, most, unavailable, wake):
        self.queue = _deque()
        self.most = most
        self.unavailable = unavailable
        self.wake = wake
        self.failure = ""
        self.closed = False
        self.idle = False
        self.accepted = 0

    cpdef accept(self, event):
        """See `tally.Intake.accept`."""
        if self.failure or self.closed:
            raise self.unavailable(self.failure or "the audit is closed")
        if len(self.queue) >= self.most:
            raise self.unavailable(f"the audit is behind by {len(self.queue)} events")
        self.queue.append(event)
        self.accepted += 1
        if self.idle:
            self.wake()


cdef class Tally:
    """See `tally.Tally`."""

    cdef readonly object session, accept, now
    cdef readonly dict running
    cdef public int64_t sequence, operation
    cdef Intake _intake

    def __init__(self, session, accept, now):
        owner = getattr(accept, "__self__", None)
        self.session = session
        self.accept = accept
        self.now = now
        self.sequence = 0
        self.operation = 1
        self.running = {}
        self._intake = owner if type(owner) is Intake else None

    cpdef record(self, form, tuple own):
        """See `tally.Tally.record`."""
        cdef int64_t number = self.sequence
        event = (form, self.session, number, self.now(), own)
        if self._intake is None:
            self.accept(event)
        else:
            self._intake.accept(event)
        self.sequence = number + 1

    def begin(self, form, tuple own not None, kept, double at):
        """See `tally.Tally.begin`."""
        cdef int64_t number = self.operation
        self.record(form, (number,) + own)
        self.operation = number + 1
        self.running[number] = (kept, at)
        return number

    def end(self, form, int64_t number, tuple own not None, double at):
        """See `tally.Tally.end`."""
        cdef double spent
        begun = self.running.pop(number, None)
        if begun is None:
            return False
        spent = at - <double>begun[1]
        self.record(form, (number,) + own + (<double><int64_t>((spent if spent > 0 else 0.0) * 1e6 + 0.5) / 1000,))
        return True
