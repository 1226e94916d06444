# Batches of the extended protocol: the twin of batches.py.

cdef const char *BATCH_END = b"D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"

cdef enum:
    DESCRIBE_SIZE = 7
    UNDESCRIBED_SIZE = 15


cdef inline int64_t _short(octets data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """The two bytes at `at`, big endian; -1 where they are not there."""
    if at < 0 or end - at < 2:
        return -1
    return (<int64_t>data[at] << 8) | data[at + 1]


cdef Py_ssize_t _counted(octets data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """See batches._counted; -1 where it is none."""
    cdef int64_t count = _short(data, at, end), number
    cdef Py_ssize_t stop = at + 2 + 2 * count
    if count < 0 or stop > end:
        return -1
    for at in range(at + 2, stop, 2):
        number = _short(data, at, end)
        if number != 0 and number != 1:
            return -1
    return stop


def parts(bytes data not None):
    """See `batches.parts`."""
    cdef octets view = <octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t whole = PyBytes_GET_SIZE(data), begin = 0, end, at, stop
    cdef int64_t length, count, number
    cdef bint described
    cdef const void *zero
    cdef list formats = [], values = []
    if whole and view[0] == c"P":
        if whole < HEADER + 1 or view[HEADER]:
            return None
        begin = 1 + _length(view, 1, whole)
    end = whole - UNDESCRIBED_SIZE
    if end < 0 or memcmp(view + end, BATCH_END + DESCRIBE_SIZE, UNDESCRIBED_SIZE):
        return None
    described = end >= DESCRIBE_SIZE and not memcmp(view + end - DESCRIBE_SIZE, BATCH_END, DESCRIBE_SIZE)
    if described:
        end -= DESCRIBE_SIZE
    at = begin + HEADER + 1
    if at >= end or view[begin] != c"B" or view[at - 1] or begin + 1 + _length(view, begin + 1, whole) != end:
        return None
    zero = memchr(view + at, 0, end - at)
    if zero == NULL:
        return None
    stop = <octets>zero - view
    if begin and stop != at:
        return None
    try:
        statement = PyUnicode_DecodeUTF8(<const char *>view + at, stop - at, NULL)
    except UnicodeDecodeError:
        return None
    at = stop + 1
    stop = _counted(view, at, end)
    if stop < 0:
        return None
    for at in range(at + 2, stop, 2):
        formats.append(_short(view, at, end))
    at = stop
    count = _short(view, at, end)
    if count < 0:
        return None
    at += 2
    for number in range(count):
        length = _length(view, at, end)
        if length < 0:
            return None
        at += 4
        if length == 0xFFFFFFFF:
            values.append(None)
            continue
        if length > 0x7FFFFFFF or length > end - at:
            return None
        values.append(PyBytes_FromStringAndSize(<const char *>view + at, length))
        at += length
    if (len(formats) > 1 and len(formats) != count) or _counted(view, at, end) != end:
        return None
    return begin, statement, end, described, tuple(formats), tuple(values)
