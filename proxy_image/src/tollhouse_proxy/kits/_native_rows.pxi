# Masking rows: the twin of rows.py.

cdef enum Way:
    TEXT = 0
    JSON = 1
    JSONB_BINARY = 2
    NUMBER_TEXT = 3
    INTEGER_BINARY = 4
    NUMERIC_BINARY = 5
    OPAQUE = 6
    NONE = 7

cdef uint32_t NULL_LENGTH = 0xFFFFFFFF
cdef Py_ssize_t LONGEST_MESSAGE = 0x7FFFFFFF

cdef enum:
    MOST_DIGITS = 64
    FILE_HEADER = 19  # bytes of a COPY file's header
    RELEASES_FROM = 64 * 1024  # bytes of a run; less is not worth handing the lock of the interpreter over


cdef struct Buffer:
    uint8_t *data
    Py_ssize_t size
    Py_ssize_t room


cdef int _room(Buffer *to, Py_ssize_t size) except -1 nogil:
    """Makes room for so much more."""
    cdef uint8_t *grown
    cdef Py_ssize_t room
    if size > to.room - to.size:
        room = to.room * 2 if to.room else 8192
        if room < to.size + size:
            room = to.size + size
        grown = <uint8_t *>PyMem_RawRealloc(to.data, room)
        if grown == NULL:
            with gil:
                raise MemoryError
        to.data = grown
        to.room = room
    return 0


cdef inline int _add(Buffer *to, const void *source, Py_ssize_t size) except -1 nogil:
    if size > to.room - to.size:
        _room(to, size)
    memcpy(to.data + to.size, source, size)
    to.size += size
    return 0


cdef inline void _spell(uint8_t *at, uint32_t value) noexcept nogil:
    """Four bytes, big endian."""
    at[0] = value >> 24
    at[1] = (value >> 16) & 0xFF
    at[2] = (value >> 8) & 0xFF
    at[3] = value & 0xFF


cdef int _add_length(Buffer *to, uint32_t value) except -1 nogil:
    cdef uint8_t spelled[4]
    _spell(spelled, value)
    return _add(to, spelled, 4)


ctypedef int (*Spelling)(octets, Py_ssize_t, uint8_t *) noexcept nogil


cdef int _int8_digits(octets value, Py_ssize_t size, uint8_t *digits) noexcept nogil:
    """An int8 as it is written, without a sign; how many digits."""
    cdef uint64_t number = (<uint64_t>_length(value, 0, size) << 32) | <uint64_t>_length(value, 4, size)
    cdef uint8_t turned[20]
    cdef int count = 0, index
    if number >> 63:
        number = 0 - number
    while number:
        turned[count] = c"0" + <uint8_t>(number % 10)
        number //= 10
        count += 1
    for index in range(count):
        digits[index] = turned[count - 1 - index]
    return count


cdef int _numeric_digits(octets value, Py_ssize_t size, uint8_t *digits) noexcept nogil:
    """The whole digits of a numeric (see content._numeric); -1: too many, or groups that are no four decimals."""
    cdef int weight = value[2] * 256 + value[3], groups = (size - 8) // 2, index, place, count = 0
    cdef int group, power
    if weight > 0x7FFF:
        return 0
    if weight + 1 > MOST_DIGITS // 4:
        return -1
    for index in range(weight + 1):
        group = value[8 + 2 * index] * 256 + value[9 + 2 * index] if index < groups else 0
        if group > 9999:
            return -1
        power = 1000
        for place in range(4):
            if count or group // power % 10:
                digits[count] = c"0" + group // power % 10
                count += 1
            power //= 10
    return count


cdef bint _is_ascii(octets value, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(size):
        if value[at] & 0x80:
            return False
    return True


cdef bint _all_ascii(octets value, Finds *finds) noexcept nogil:
    """Whether every find is of one byte a character: a partial mask counts characters."""
    cdef int index
    cdef Py_ssize_t at
    for index in range(finds.count):
        for at in range(finds.spans[index].begin, finds.spans[index].end):
            if value[at] & 0x80:
                return False
    return True


@cython.final
cdef class _Masker:
    """One run of rows being masked. data[copied:] of it has not been decided yet."""

    cdef bytes data, fixed, character
    cdef object masked
    cdef octets view
    cdef Buffer out, scratch
    cdef int detectors
    cdef bint own, everywhere, knows, partial, binary
    cdef Py_ssize_t first, last, columns, copied, marks, mark, fixed_size, character_size
    cdef const char *fixed_at
    cdef const char *character_at
    cdef uint8_t *ways
    cdef Span *spans

    def __cinit__(self):
        self.ways = NULL
        self.spans = NULL
        self.out.data = self.scratch.data = NULL
        self.out.size = self.out.room = self.scratch.size = self.scratch.room = 0

    def __dealloc__(self):
        PyMem_Free(self.ways)
        PyMem_Free(self.spans)
        PyMem_RawFree(self.out.data)
        PyMem_RawFree(self.scratch.data)

    def __init__(self, bytes data, Py_ssize_t at, Py_ssize_t stop, ways, sheet, masked, bint binary=False):
        cdef Py_ssize_t index
        self.binary = binary
        self.data = data
        self.view = <octets>PyBytes_AS_STRING(data)
        self.masked = masked
        self.detectors = sheet.detectors
        self.copied = at
        self.partial = sheet.partial is not None
        self.knows = sheet.fixed is not None or self.partial
        self.fixed = sheet.fixed or b""
        self.character = b""
        self.first = self.last = 0
        if self.partial:
            self.first, self.last, self.character = sheet.partial
        self.fixed_at, self.fixed_size = PyBytes_AS_STRING(self.fixed), PyBytes_GET_SIZE(self.fixed)
        self.character_at, self.character_size = PyBytes_AS_STRING(self.character), PyBytes_GET_SIZE(self.character)
        self.columns = -1 if ways is None else len(ways)
        if self.columns > 0:
            self.ways = <uint8_t *>PyMem_Malloc(self.columns)
            if self.ways == NULL:
                raise MemoryError
            for index in range(self.columns):
                self.ways[index] = ways[index]
        self.own = sheet.own is not None
        self.everywhere = False
        self.marks = self.mark = 0
        if self.own:
            self.take_marks(sheet.own(data[at:stop]), at)

    cdef take_marks(self, places, Py_ssize_t offset):
        if places is None:
            self.everywhere = True
            return
        self.spans = <Span *>PyMem_Malloc((len(places) + 1) * sizeof(Span))
        if self.spans == NULL:
            raise MemoryError
        for begin, end in places:
            self.spans[self.marks].begin = begin + offset
            self.spans[self.marks].end = end + offset
            self.marks += 1

    cdef bint marked(self, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
        """Whether an own pattern may find something in data[begin:end]; asked in their order."""
        if not self.own:
            return False
        if self.everywhere:
            return True
        while self.mark < self.marks and self.spans[self.mark].end < begin:
            self.mark += 1
        return self.mark < self.marks and self.spans[self.mark].begin <= end

    cdef Verdict judge(self, Py_ssize_t at, Py_ssize_t size, uint8_t way, Finds *finds) noexcept nogil:
        """What a value of this way needs. FOUND only where it can be masked here."""
        cdef octets value = self.view + at
        cdef Verdict found
        if way == NONE:
            return CLEAN
        if self.marked(at, at + size) or size > LARGEST_VALUE:
            return ASK
        if way == TEXT or way == NUMBER_TEXT:
            found = _examine(value, size, self.detectors, False, True, finds)
            if found == FOUND and not (self.knows and (not self.partial or _all_ascii(value, finds))):
                return ASK
            return found
        if way == JSON or way == JSONB_BINARY:
            if way == JSONB_BINARY and size:
                value += 1
                size -= 1
            if size and memchr(value, c"\\", size) != NULL:
                return ASK
            found = _examine(value, size, self.detectors, True, True, finds)
            return ASK if found == FOUND else found
        if way == OPAQUE and self.own and not _is_ascii(value, size):
            return ASK  # no text: an own pattern takes it for one, with something in place of what is none
        if way == OPAQUE:
            found = _examine(value, size, self.detectors, False, False, finds)
            return ASK if found == FOUND and not (self.knows and _is_ascii(value, size)) else found
        if self.own:
            return ASK
        if way == INTEGER_BINARY and size == 8:
            return self.judge_number(value, size, _int8_digits, finds)
        if way == NUMERIC_BINARY and size >= 8 and size % 2 == 0:
            return self.judge_number(value, size, _numeric_digits, finds)
        return ASK

    cdef Verdict judge_number(self, octets value, Py_ssize_t size, Spelling spelling, Finds *finds) noexcept nogil:
        """A number by its digits: in fewer than thirteen alone no detector finds anything."""
        cdef uint8_t digits[MOST_DIGITS]
        cdef int count = spelling(value, size, digits)
        if count < 0:
            return ASK
        if count < 13:
            return CLEAN
        return ASK if _examine(digits, count, self.detectors, False, False, finds) != CLEAN else CLEAN

    cdef int write_masked(self, octets value, Py_ssize_t size, Finds *finds) except -1 nogil:
        """The value with its finds masked, into `scratch`. Finds that overlap are one."""
        cdef int index = 0
        cdef Py_ssize_t at = 0, begin, end
        self.scratch.size = 0
        _sort(finds)
        while index < finds.count:
            begin, end = finds.spans[index].begin, finds.spans[index].end
            index += 1
            while index < finds.count and finds.spans[index].begin < end:
                if finds.spans[index].end > end:
                    end = finds.spans[index].end
                index += 1
            _add(&self.scratch, value + at, begin - at)
            if not self.partial:
                _add(&self.scratch, self.fixed_at, self.fixed_size)
            elif end - begin <= self.first + self.last:
                self.hide(end - begin)
            else:
                _add(&self.scratch, value + begin, self.first)
                self.hide(end - begin - self.first - self.last)
                _add(&self.scratch, value + end - self.last, self.last)
            at = end
        return _add(&self.scratch, value + at, size - at)

    cdef int hide(self, Py_ssize_t count) except -1 nogil:
        cdef Py_ssize_t index
        if self.character_size == 1:
            _room(&self.scratch, count)
            memset(self.scratch.data + self.scratch.size, self.character_at[0], count)
            self.scratch.size += count
            return 0
        for index in range(count):
            _add(&self.scratch, self.character_at, self.character_size)
        return 0

    cdef int ask(self, Py_ssize_t at, Py_ssize_t size, uint8_t way) except -1:
        """What `masked` makes of a value, into `scratch`; 0: the value stays, 1: another, 2: NULL."""
        value = self.data[at : at + size]
        made = self.masked(value, way)
        if made is None:
            return 2
        if made == value:
            return 0
        self.scratch.size = 0
        _add(&self.scratch, PyBytes_AS_STRING(<bytes?>made), PyBytes_GET_SIZE(<bytes?>made))
        return 1

    cdef int change(self, Py_ssize_t at, Py_ssize_t size, uint8_t way) except -1 nogil:
        """As `ask`, asking only where it must."""
        cdef Finds finds
        cdef Verdict found = self.judge(at, size, way, &finds)
        if found == CLEAN:
            return 0
        if found == ASK:
            with gil:
                return self.ask(at, size, way)
        if found == BROKEN:
            with gil:
                raise RowError("a text value is not UTF-8")
        self.write_masked(self.view + at, size, &finds)
        if self.scratch.size == size and memcmp(self.scratch.data, self.view + at, size) == 0:
            return 0
        return 2 if way == NUMBER_TEXT or way == OPAQUE else 1

    cdef int row(self, Py_ssize_t start, Py_ssize_t end) except -1 nogil:
        """One DataRow."""
        if end - start < 7:
            with gil:
                raise RowError("a row ends too early")
        if self.view[start + 5] * 256 + self.view[start + 6] != self.columns:
            with gil:
                raise RowError(
                    f"a row of {self.view[start + 5] * 256 + self.view[start + 6]} columns"
                    f" where {self.columns} were described"
                )
        return self.fields(start, start + 7, end, self.columns, self.ways)

    cdef int copied_row(self, Py_ssize_t start, Py_ssize_t end) except -1 nogil:
        """One CopyData of the binary format."""
        cdef Py_ssize_t at = start + 5
        cdef int64_t further
        if end - at >= FILE_HEADER and memcmp(self.view + at, "PGCOPY\n\xff\r\n\0", 11) == 0:
            further = _length(self.view, at + FILE_HEADER - 4, end)
            if further > 0x7FFFFFFF:
                with gil:
                    raise RowError("the header of a COPY has a wrong length")
            at += FILE_HEADER + further
        if at == end or (end - at >= 2 and self.view[at] == 0xFF and self.view[at + 1] == 0xFF):
            return 0
        if end - at < 2:
            with gil:
                raise RowError("a row ends too early")
        return self.fields(start, at + 2, end, self.view[at] * 256 + self.view[at + 1], NULL)

    cdef int fields(
        self, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end, Py_ssize_t columns, const uint8_t *ways
    ) except -1 nogil:
        """The message that begins at `start`, and its fields at `at`. `ways` NULL: all are OPAQUE."""
        cdef Py_ssize_t index, size, kept = start + 5, head = -1
        cdef int64_t length
        cdef int made
        for index in range(columns):
            length = _length(self.view, at, end)
            if length < 0:
                with gil:
                    raise RowError("a row ends too early")
            at += 4
            if length == <int64_t>NULL_LENGTH:
                continue
            if length > end - at:
                with gil:
                    raise RowError("the length of a value in a row is wrong")
            size = length
            made = self.change(at, size, OPAQUE if ways == NULL else ways[index])
            if made:
                if head < 0:
                    _add(&self.out, self.view + self.copied, start - self.copied)
                    head = self.out.size
                    _add(&self.out, self.view + start, 5)
                _add(&self.out, self.view + kept, at - 4 - kept)
                if made == 2:
                    _add_length(&self.out, NULL_LENGTH)
                else:
                    _add_length(&self.out, self.scratch.size)
                    _add(&self.out, self.scratch.data, self.scratch.size)
                kept = at + size
            at += size
        if at != end:
            with gil:
                raise RowError("a row has bytes too many")
        if head >= 0:
            _add(&self.out, self.view + kept, end - kept)
            self.close(head)
            self.copied = end
        return 0

    cdef int copied_line(self, Py_ssize_t start, Py_ssize_t end) except -1 nogil:
        """One CopyData of a text format."""
        cdef Py_ssize_t head
        if self.change(start + 5, end - start - 5, TEXT) != 1:
            return 0
        _add(&self.out, self.view + self.copied, start - self.copied)
        head = self.out.size
        _add(&self.out, self.view + start, 5)
        _add(&self.out, self.scratch.data, self.scratch.size)
        self.close(head)
        self.copied = end
        return 0

    cdef int close(self, Py_ssize_t head) except -1 nogil:
        """Writes the length of the message that begins at `head` of what goes out."""
        if self.out.size - head - 1 > LONGEST_MESSAGE:
            with gil:
                raise RowError("a masked row is too long for a message")
        _spell(self.out.data + head + 1, self.out.size - head - 1)
        return 0

    cdef int work(self, Py_ssize_t at, Py_ssize_t stop) except -1 nogil:
        cdef int64_t length
        cdef uint8_t kind = c"d" if self.columns < 0 else c"D"
        while at < stop:
            length = _length(self.view, at + 1, stop)
            if length < 4 or length >= stop - at or self.view[at] != kind:
                with gil:
                    raise ValueError("mask_rows: not whole messages of one type")
            if self.binary:
                self.copied_row(at, at + 1 + length)
            elif self.columns < 0:
                self.copied_line(at, at + 1 + length)
            else:
                self.row(at, at + 1 + length)
            at += 1 + length
        return 0

    cdef bytes made(self, Py_ssize_t stop):
        if self.out.size == 0:
            return None
        _add(&self.out, self.view + self.copied, stop - self.copied)
        return PyBytes_FromStringAndSize(<char *>self.out.data, self.out.size)


cdef void _sort(Finds *finds) noexcept nogil:
    """By where they begin: there are few, and nearly in order."""
    cdef int index, other
    cdef Span held
    for index in range(1, finds.count):
        held = finds.spans[index]
        other = index - 1
        while other >= 0 and finds.spans[other].begin > held.begin:
            finds.spans[other + 1] = finds.spans[other]
            other -= 1
        finds.spans[other + 1] = held


def mask_rows(bytes data not None, Py_ssize_t at, Py_ssize_t stop, ways, sheet, masked):
    """See `rows.mask_rows`."""
    return _mask(data, at, stop, ways, sheet, masked, False)


def mask_copied(bytes data not None, Py_ssize_t at, Py_ssize_t stop, sheet, masked):
    """See `rows.mask_copied`."""
    return _mask(data, at, stop, None, sheet, masked, True)


cdef _mask(bytes data, Py_ssize_t at, Py_ssize_t stop, ways, sheet, masked, bint binary):
    cdef _Masker masker
    if not 0 <= at <= stop <= PyBytes_GET_SIZE(data):
        raise ValueError("mask_rows: not whole messages")
    masker = _Masker(data, at, stop, ways, sheet, masked, binary)
    if stop - at >= RELEASES_FROM:
        with nogil:
            masker.work(at, stop)
    else:
        masker.work(at, stop)
    return masker.made(stop)
