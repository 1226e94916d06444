# Sealing Briefs of the audit: the twin of `tollhouse_core.audit.chain.Chain.seal`, for the plain ones.

from cpython.long cimport PyLong_AsLongLongAndOverflow
from hashlib import sha256 as _sha256

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef const char *HEX_DIGITS = "0123456789abcdef"


cdef int _add_digits(Buffer *to, int64_t value) except -1:
    cdef uint8_t digits[24]
    cdef Py_ssize_t at = 24
    cdef uint64_t left = <uint64_t>value if value >= 0 else 0 - <uint64_t>value
    while True:
        at -= 1
        digits[at] = <uint8_t>(48 + left % 10)
        left //= 10
        if left == 0:
            break
    if value < 0:
        at -= 1
        digits[at] = c"-"
    return _add(to, digits + at, 24 - at)


cdef int _add_text(Buffer *to, str text) except -1:
    """As msgspec writes a string: only what JSON asks for is escaped. Raises UnicodeEncodeError."""
    cdef Py_ssize_t size = 0, at, copied = 0
    cdef const char *source = PyUnicode_AsUTF8AndSize(text, &size)
    cdef uint8_t byte
    cdef uint8_t spelled[6]
    _room(to, size + 2)
    _add(to, b'"', 1)
    for at in range(size):
        byte = <uint8_t>source[at]
        if byte >= 0x20 and byte != c'"' and byte != c"\\":
            continue
        _add(to, source + copied, at - copied)
        copied = at + 1
        spelled[0] = c"\\"
        if byte == c'"' or byte == c"\\":
            spelled[1] = byte
        elif byte == c"\n":
            spelled[1] = c"n"
        elif byte == c"\t":
            spelled[1] = c"t"
        elif byte == c"\r":
            spelled[1] = c"r"
        elif byte == 8:
            spelled[1] = c"b"
        elif byte == 12:
            spelled[1] = c"f"
        else:
            memcpy(spelled + 1, b"u00", 3)
            spelled[4] = HEX_DIGITS[byte >> 4]
            spelled[5] = HEX_DIGITS[byte & 15]
            _add(to, spelled, 6)
            continue
        _add(to, spelled, 2)
    _add(to, source + copied, size - copied)
    return _add(to, b'"', 1)


cdef int _add_plain(Buffer *to, str text) except -1:
    """A string in which nothing needs escaping."""
    cdef Py_ssize_t size = 0
    cdef const char *source = PyUnicode_AsUTF8AndSize(text, &size)
    return _add(to, source, size)


cdef int _add_bytes(Buffer *to, bytes piece) except -1:
    return _add(to, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))


cdef bint _add_value(Buffer *to, object value, object encode) except -1:
    """False: the readable way must write it."""
    cdef int overflow = 0
    cdef int64_t number
    cdef Py_ssize_t at
    if type(value) is str:
        _add_text(to, <str>value)
    elif type(value) is int:
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            return False
        _add_digits(to, number)
    elif value is None:
        _add(to, b"null", 4)
    elif type(value) is tuple:
        _add(to, b"[", 1)
        for at in range(len(<tuple>value)):
            if at:
                _add(to, b",", 1)
            if not _add_value(to, (<tuple>value)[at], encode):
                return False
        _add(to, b"]", 1)
    else:
        _add_bytes(to, encode(value))
    return True


cdef bint _add_body(
    Buffer *to, tuple brief, object encode, bytes writer, dict heads, int64_t line, str trail
) except -1:
    """All that a line's hash covers; False: the readable way must seal this one."""
    cdef object form = brief[0], session = brief[1], own = brief[4], laid = form.laid
    cdef object previous = heads.get(session)
    cdef tuple pieces
    cdef Py_ssize_t at
    if laid is None or laid[0] is not encode or laid[2] is None or previous is None:
        return False
    pieces = laid[2]
    if type(session) is not str or type(own) is not tuple or len(<tuple>own) != len(pieces) - 2:
        return False
    if type(brief[2]) is not int:
        return False
    _add(to, b'{"session":', 11)
    _add_text(to, <str>session)
    _add(to, b',"sequence":', 12)
    if not _add_value(to, brief[2], encode):
        return False
    _add_bytes(to, pieces[0])
    _add_bytes(to, encode(brief[3]))
    _add_bytes(to, pieces[1])
    for at in range(len(<tuple>own)):
        if not _add_value(to, (<tuple>own)[at], encode):
            return False
        _add_bytes(to, pieces[at + 2])
    _add_plain(to, previous)
    _add_bytes(to, writer)
    _add_digits(to, line)
    _add(to, b',"previous":"', 13)
    _add_plain(to, trail)
    _add(to, b'"}}', 3)
    return True


cdef class _Press:
    """Holds what is made, so that it is given back whatever happens."""

    cdef Buffer out

    def __dealloc__(self):
        PyMem_RawFree(self.out.data)


def press(
    list batch not None,
    Py_ssize_t at,
    Py_ssize_t until,
    encode,
    bytes writer not None,
    dict heads not None,
    int64_t line,
    str trail not None,
):
    """See `tollhouse_core.audit.chain.Press`."""
    cdef _Press held = _Press()
    cdef Buffer *out = &held.out
    cdef Py_ssize_t begin
    cdef bint made
    cdef object digest
    if not 0 <= at <= until <= len(batch):
        raise ValueError("press: not a part of the batch")
    while at < until:
        begin = out.size
        if type(batch[at]) is not tuple or len(<tuple>batch[at]) != 5:
            break
        try:
            made = _add_body(out, <tuple>batch[at], encode, writer, heads, line, trail)
        except Exception:  # a value the fast way will not take: the readable one says what becomes of it
            made = False
        if not made:
            out.size = begin
            break
        digest = _sha256(PyBytes_FromStringAndSize(<char *>out.data + begin, out.size - begin)).hexdigest()
        out.size -= 1
        _add(out, b',"hash":"', 9)
        _add_plain(out, digest)
        _add(out, b'"}\n', 3)
        heads[(<tuple>batch[at])[1]] = trail = digest
        line += 1
        at += 1
    return at, PyBytes_FromStringAndSize(<char *>out.data, out.size), line, trail
