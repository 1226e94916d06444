# Statement templates: the twin of template.py.

cdef enum Kind:
    NOTHING = 0
    WORD = 1
    BLANK = 2
    STRING = 3
    NAME = 4
    NUMBER = 5
    PARAM = 6
    MARK = 7

cdef enum:
    LARGEST_TEXT = 64 * 1024
    SHORT_MESSAGE = 2048  # its key is made on the stack

cdef uint8_t BEGINS[256]  # which Kind a byte begins; NOTHING: it has no place
cdef uint8_t IN_WORD[256]


cdef void _fill_tables():
    cdef int byte
    for byte in range(256):
        BEGINS[byte] = NOTHING
        IN_WORD[byte] = 0
    for byte in b" \t\n\r\f":
        BEGINS[byte] = BLANK
    for byte in b"-+*/<>=~!@#%^&|`?()[],;:.":
        BEGINS[byte] = MARK
    for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_":
        BEGINS[byte] = WORD
        IN_WORD[byte] = 1
    for byte in b"0123456789":
        BEGINS[byte] = NUMBER
        IN_WORD[byte] = 1
    for byte in range(128, 256):
        BEGINS[byte] = WORD
        IN_WORD[byte] = 1
    BEGINS[39] = STRING  # '
    BEGINS[34] = NAME  # "
    BEGINS[36] = PARAM  # $


_fill_tables()


cdef inline bint _digit(uint8_t byte) noexcept nogil:
    return c"0" <= byte <= c"9"


cdef inline bint _is_word(octets text, Py_ssize_t size, const char *word, Py_ssize_t length) noexcept nogil:
    """Whether a word is this lower-case one, in any case."""
    cdef Py_ssize_t at
    if size != length:
        return False
    for at in range(size):
        if (text[at] | 0x20) != <uint8_t>word[at]:
            return False
    return True


cdef bint _may_begin(octets text, Py_ssize_t size) noexcept nogil:
    return (
        _is_word(text, size, "select", 6)
        or _is_word(text, size, "insert", 6)
        or _is_word(text, size, "update", 6)
        or _is_word(text, size, "delete", 6)
        or _is_word(text, size, "merge", 5)
        or _is_word(text, size, "values", 6)
        or _is_word(text, size, "table", 5)
        or _is_word(text, size, "with", 4)
    )


cdef Py_ssize_t _token(octets text, Py_ssize_t at, Py_ssize_t end, Kind kind) noexcept nogil:
    """Where the token that begins at `at` ends; -1: it has no place in a template."""
    cdef Py_ssize_t begin = at
    cdef uint8_t byte
    if kind == WORD:
        while at < end and IN_WORD[text[at]]:
            at += 1
        return at
    if kind == BLANK:
        while at < end and BEGINS[text[at]] == BLANK:
            at += 1
        return at
    if kind == NUMBER:
        while at < end and _digit(text[at]):
            at += 1
        if end - at >= 2 and text[at] == c"." and _digit(text[at + 1]):
            at += 1
            while at < end and _digit(text[at]):
                at += 1
        return at
    if kind == PARAM:
        at += 1
        if at >= end or not _digit(text[at]) or text[at] == c"0":
            return -1
        while at < end and _digit(text[at]):
            at += 1
        return at
    if kind == STRING:
        at += 1
        while at < end:
            byte = text[at]
            at += 1
            if byte == c"'":
                if at >= end or text[at] != c"'":
                    return at
                at += 1
            elif byte == c"\\" or byte == 0:
                return -1
        return -1
    if kind == NAME:
        at += 1
        while at < end:
            byte = text[at]
            at += 1
            if byte == c'"':
                if at >= end or text[at] != c'"':
                    return at if at - begin > 2 else -1
                at += 1
            elif byte == c"\\" or byte < 0x20 or byte == 0x7F:
                return -1
        return -1
    if kind == MARK:
        if text[at] == c"." and end - at >= 2 and _digit(text[at + 1]):
            return -1  # a number: the caller asks for that first
        return at + 1
    return -1


cdef uint8_t _number(octets text, Py_ssize_t size) noexcept nogil:
    """The mark of a plain number; 0: it hangs on more than itself (see template._number)."""
    cdef uint64_t value = 0
    cdef Py_ssize_t at
    if memchr(text, c".", size) != NULL:
        return 0 if text[0] == c"0" and text[1] != c"." else 4
    if text[0] == c"0" and size > 1:
        return 0
    if size > 19:
        return 3
    for at in range(size):
        value = value * 10 + (text[at] - c"0")
    if value == (<uint64_t>1 << 31) or value == (<uint64_t>1 << 63):
        return 0
    if value < (<uint64_t>1 << 31):
        return 1
    return 2 if value < (<uint64_t>1 << 63) else 3


cdef inline bint _solid(Kind kind) noexcept nogil:
    return kind == WORD or kind == STRING or kind == NAME or kind == NUMBER or kind == PARAM


cdef bint _touch(Kind one, uint8_t mark, Kind other, uint8_t first) noexcept nogil:
    """See template._touch; `mark` is the mark where `one` is one, `first` the other's first byte."""
    if _solid(one):
        return _solid(other) or (one == NUMBER and other == MARK and first == c".")
    if one != MARK:
        return False
    if other == MARK:
        return (
            (mark == c"-" and first == c"-") or (mark == c"/" and first == c"*") or (mark == c"*" and first == c"/")
        )
    if other == STRING or other == NAME:
        return mark == c"&"
    if other == NUMBER:
        return mark == c"." or ((mark == c")" or mark == c"]") and first == c".")
    return False


cdef Py_ssize_t _fold(octets view, Py_ssize_t end, char *key, list spans) except -2:
    """Writes the key (never longer than the text); how long it is, -1: the text has none. `spans` may be
    None."""
    cdef Py_ssize_t at = 0, begin, copied = 0, made = 0
    cdef Kind kind, before = NOTHING, last = NOTHING
    cdef uint8_t mark = 0, first, placeholder, high = 0
    cdef bint begun = False, over = False, uescape = False, sized = False
    for at in range(end):
        high |= view[at]
    if high & 0x80:
        try:
            PyUnicode_DecodeUTF8(<const char *>view, end, NULL)
        except UnicodeDecodeError:
            return -1
    at = 0
    while at < end:
        begin = at
        first = view[at]
        kind = <Kind>BEGINS[first]
        if first == c"." and end - at >= 2 and _digit(view[at + 1]):
            kind = NUMBER
        at = _token(view, begin, end, kind)
        if at < 0 or _touch(before, mark, kind, first):
            return -1
        before = kind
        mark = first if kind == MARK else 0
        if kind == BLANK:
            continue
        if not begun:
            begun = True
            if not (kind == MARK and first == c"(") and not (kind == WORD and _may_begin(view + begin, at - begin)):
                return -1
        elif uescape or (sized and kind == MARK and first == c"(") or (kind == STRING and last == STRING):
            return -1
        if kind == MARK and first == c";":
            over = True
        elif over:
            return -1
        uescape = kind == WORD and _is_word(view + begin, at - begin, "uescape", 7)
        sized = kind == WORD and _is_word(view + begin, at - begin, "float", 5)
        last = kind
        if kind == STRING:
            placeholder = 5
        elif kind == NUMBER:
            placeholder = _number(view + begin, at - begin)
            if placeholder == 0:
                return -1
        else:
            continue
        memcpy(key + made, view + copied, begin - copied)
        made += begin - copied
        key[made] = placeholder
        made += 1
        copied = at
        if spans is not None:
            spans.append((begin, at))
    if not begun:
        return -1
    memcpy(key + made, view + copied, end - copied)
    return made + end - copied


def template(bytes text not None):
    """See `template.template`."""
    cdef Py_ssize_t end = PyBytes_GET_SIZE(text), made
    cdef list spans = []
    cdef char *key
    if end > LARGEST_TEXT:
        return None
    key = <char *>PyMem_Malloc(end + 1)
    if key == NULL:
        raise MemoryError
    try:
        made = _fold(<octets>PyBytes_AS_STRING(text), end, key, spans)
        return None if made < 0 else (PyBytes_FromStringAndSize(key, made), tuple(spans))
    finally:
        PyMem_Free(key)


def find(bytes message not None, dict exact not None, dict forms not None):
    """See `template.find`."""
    cdef octets view = <octets>PyBytes_AS_STRING(message)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(message), made
    cdef char key[SHORT_MESSAGE]
    known = exact.get(message)
    if known is not None:
        return known
    if end <= HEADER or view[0] != c"Q" or _length(view, 1, end) != end - 1 or view[end - 1]:
        return None
    if end > SHORT_MESSAGE:
        found = template(message[HEADER : end - 1])
        return None if found is None else forms.get(found[0])
    made = _fold(view + HEADER, end - 1 - HEADER, key, None)
    return None if made < 0 else forms.get(PyBytes_FromStringAndSize(key, made))
