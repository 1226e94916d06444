# Headers: the twin of frames.py.
#
# What is read from the outside is read by `_length` alone, which looks whether the bytes are there.

cdef enum:
    HEADER = 5
    LONGEST_SHAPE = 16


cdef inline int64_t _length(octets data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """The four bytes at `at`, big endian; -1 where they are not there."""
    if at < 0 or end - at < 4:
        return -1
    return (<int64_t>data[at] << 24) | (<int64_t>data[at + 1] << 16) | (<int64_t>data[at + 2] << 8) | data[at + 3]


def run(bytes data not None, Py_ssize_t at, bytes kinds not None, until=None):
    """See `frames.run`."""
    cdef octets view = <octets>PyBytes_AS_STRING(data)
    cdef octets wanted = <octets>PyBytes_AS_STRING(kinds)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data), count = 0
    cdef int64_t length
    cdef Py_ssize_t last = end if until is None else until
    if PyBytes_GET_SIZE(kinds) != 256 or not 0 <= at <= end:
        raise ValueError("run: not a set of kinds, or an offset outside the data")
    while end - at >= HEADER:
        length = _length(view, at + 1, end)
        if at >= last or not wanted[view[at]] or length < 4 or length >= end - at:
            return at, count, 1 + length
        at += 1 + length
        count += 1
    return at, count, 0


def survey(bytes data not None, Py_ssize_t at, bytes caps not None):
    """See `frames.survey`."""
    cdef octets view = <octets>PyBytes_AS_STRING(data)
    cdef const char *allowed = PyBytes_AS_STRING(caps)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data), rows = 0, row_bytes = 0, letters = 0
    cdef int64_t length
    cdef uint32_t cap
    cdef uint8_t kind, last = 0, status = 0
    cdef bint is_row
    cdef char shape[LONGEST_SHAPE]
    if PyBytes_GET_SIZE(caps) != 256 * sizeof(uint32_t) or not 0 <= at <= end:
        raise ValueError("survey: not a table of caps, or an offset outside the data")
    while end - at >= HEADER:
        kind = view[at]
        length = _length(view, at + 1, end)
        memcpy(&cap, allowed + kind * sizeof(uint32_t), sizeof(uint32_t))
        if length < 4 or length > cap:
            raise FrameError(kind, length, at)
        is_row = kind == c"D" or kind == c"d"
        if length >= end - at or (letters == LONGEST_SHAPE and not (is_row and kind == last)):
            return at, shape[:letters], rows, row_bytes, status, 1 + length
        if is_row:
            rows += 1
            row_bytes += 1 + length
        if not (is_row and kind == last):
            shape[letters] = kind
            letters += 1
        last = kind
        status = view[at + HEADER] if kind == c"Z" and length > 4 else 0
        at += 1 + length
    return at, shape[:letters], rows, row_bytes, status, 0
