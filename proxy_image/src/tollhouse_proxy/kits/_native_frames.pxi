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


cdef struct Survey:
    Py_ssize_t end, rows, row_bytes, letters, tag  # tag: where the first CommandComplete begins, -1: nowhere
    int64_t need, length
    uint8_t kind, status
    char shape[LONGEST_SHAPE]


cdef bint _survey(octets view, Py_ssize_t at, Py_ssize_t end, const char *allowed, Survey *found) noexcept nogil:
    """False: the header of `kind` and `length` at `end` may not be."""
    cdef int64_t length
    cdef uint32_t cap
    cdef uint8_t kind, last = 0
    cdef bint is_row
    found.end = at
    found.rows = found.row_bytes = found.letters = 0
    found.tag = -1
    found.status = 0
    found.need = 0
    while end - at >= HEADER:
        kind = view[at]
        length = _length(view, at + 1, end)
        memcpy(&cap, allowed + kind * sizeof(uint32_t), sizeof(uint32_t))
        if length < 4 or length > cap:
            found.kind = kind
            found.length = length
            return False
        is_row = kind == c"D" or kind == c"d"
        if length >= end - at or (found.letters == LONGEST_SHAPE and not (is_row and kind == last)):
            found.need = 1 + length
            return True
        if is_row:
            found.rows += 1
            found.row_bytes += 1 + length
        if not (is_row and kind == last):
            found.shape[found.letters] = kind
            found.letters += 1
        if kind == c"C" and found.tag < 0:
            found.tag = at
        last = kind
        found.status = view[at + HEADER] if kind == c"Z" and length > 4 else 0
        at += 1 + length
        found.end = at
    return True


def survey(bytes data not None, Py_ssize_t at, bytes caps not None):
    """See `frames.survey`."""
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
    cdef Survey found
    if PyBytes_GET_SIZE(caps) != 256 * sizeof(uint32_t) or not 0 <= at <= end:
        raise ValueError("survey: not a table of caps, or an offset outside the data")
    if not _survey(<octets>PyBytes_AS_STRING(data), at, end, PyBytes_AS_STRING(caps), &found):
        raise FrameError(found.kind, found.length, found.end)
    return found.end, found.shape[:found.letters], found.rows, found.row_bytes, found.status, found.need


def answered(bytes data not None, bytes caps not None, shapes, int status):
    """See `frames.answered`."""
    cdef octets view = <octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data), at, last
    cdef Survey found
    cdef const void *zero
    if PyBytes_GET_SIZE(caps) != 256 * sizeof(uint32_t):
        raise ValueError("survey: not a table of caps, or an offset outside the data")
    if not _survey(view, 0, end, PyBytes_AS_STRING(caps), &found):
        return None
    if found.end != end or found.status != status or found.letters < 2 or found.shape[:found.letters] not in shapes:
        return None
    if found.shape[found.letters - 2] != c"C" or found.shape[found.letters - 1] != c"Z":
        return None
    last = end - 7  # where the tag's NUL stands: ReadyForQuery is six bytes
    if found.tag + _length(view, found.tag + 1, end) != last:
        return None
    at = found.tag + HEADER
    if at > last:
        return None
    zero = memchr(view + at, 0, last + 1 - at)
    if zero != <const void *>(view + last):
        return None
    try:
        return found.rows, found.row_bytes, PyUnicode_DecodeUTF8(<const char *>view + at, last - at, NULL)
    except UnicodeDecodeError:
        return None
