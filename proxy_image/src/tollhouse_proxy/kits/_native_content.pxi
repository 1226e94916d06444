# Finding content in one value: the twin of content_finders.py and content_numbers.py.
#
# Each finder gives the spans that the one of the same name in `content_finders` gives. What is rare or knows
# more than ASCII is not judged here: ASK leaves the value to Python.

cdef enum:
    CARD = 1
    EMAIL = 2
    PHONE = 4
    IBAN = 8
    PRIVATE_KEY = 16
    ACCESS_KEY = 32
    LARGEST_VALUE = 16 * 1024
    MOST_SPANS = 64
    LONGEST_CARD_ROW = 64
    LONGEST_IBAN_TEXT = 34
    MOST_PLACES = 10000  # content_finders.MOST_PLACES

cdef enum Verdict:
    CLEAN = 0
    FOUND = 1
    ASK = 2
    BROKEN = 3

cdef struct Span:
    Py_ssize_t begin
    Py_ssize_t end

cdef struct Finds:
    int count
    int room
    int places  # what the pattern of cards, or of IBANs, points at
    bint full
    bint grows
    Span *spans
    Span own[MOST_SPANS]

cdef enum:
    IS_DIGIT = 1
    IS_LETTER = 2
    IS_WORD = 4  # what \b knows
    IS_LOCAL = 8  # before the @ of an address
    IS_DOMAIN = 16
    IS_KEY = 32  # within an access key

cdef uint8_t CLASS[256]
cdef uint8_t STARTS_KEY[256]
cdef uint8_t IBAN_LENGTHS[26 * 26]


cdef void _fill_classes():
    cdef int byte
    for byte in range(256):
        CLASS[byte] = STARTS_KEY[byte] = 0
    for byte in b"0123456789":
        CLASS[byte] = IS_DIGIT | IS_WORD | IS_LOCAL | IS_DOMAIN | IS_KEY
    for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz":
        CLASS[byte] = IS_LETTER | IS_WORD | IS_LOCAL | IS_DOMAIN | IS_KEY
    CLASS[95] = IS_WORD | IS_LOCAL | IS_KEY  # _
    CLASS[45] = IS_LOCAL | IS_DOMAIN | IS_KEY  # -
    for byte in b".%+'":
        CLASS[byte] = IS_LOCAL
    for byte in b"Agxs":
        STARTS_KEY[byte] = 1
    for letters, length in IBANS.items():
        IBAN_LENGTHS[(ord(letters[0]) - 65) * 26 + ord(letters[1]) - 65] = length


_fill_classes()


cdef inline bint _is(uint8_t byte, uint8_t what) noexcept nogil:
    return (CLASS[byte] & what) != 0


cdef inline void _none_yet(Finds *finds, bint grows) noexcept nogil:
    finds.count = finds.places = 0
    finds.full = False
    finds.grows = grows
    finds.spans = finds.own
    finds.room = MOST_SPANS


cdef bint _grown(Finds *finds) noexcept nogil:
    """Whether there is room for more spans now."""
    cdef Span *spans
    cdef bint is_own = finds.spans == finds.own
    if not finds.grows or finds.room > 1 << 28:
        return False
    spans = <Span *>PyMem_RawRealloc(NULL if is_own else finds.spans, finds.room * 2 * sizeof(Span))
    if spans == NULL:
        return False
    if is_own:
        memcpy(spans, finds.own, finds.count * sizeof(Span))
    finds.spans = spans
    finds.room *= 2
    return True


cdef inline void _note(Finds *finds, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    if finds.count == finds.room and not _grown(finds):
        finds.full = True
        return
    finds.spans[finds.count].begin = begin
    finds.spans[finds.count].end = end
    finds.count += 1


cdef bint _is_utf8(octets text, Py_ssize_t size) noexcept nogil:
    """RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF."""
    cdef Py_ssize_t at = 0
    cdef uint8_t lead, second
    cdef int more
    while at < size:
        lead = text[at]
        at += 1
        if lead < 0x80:
            continue
        if 0xC2 <= lead <= 0xDF:
            more = 1
        elif 0xE0 <= lead <= 0xEF:
            more = 2
        elif 0xF0 <= lead <= 0xF4:
            more = 3
        else:
            return False
        if size - at < more:
            return False
        second = text[at]
        if (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second > 0x9F):
            return False
        if (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second > 0x8F):
            return False
        while more:
            if text[at] & 0xC0 != 0x80:
                return False
            at += 1
            more -= 1
    return True


cdef inline bint _joins_digits(uint8_t byte) noexcept nogil:
    return byte == c" " or byte == c"." or byte == c"-"


cdef void _cards(octets text, Py_ssize_t size, Finds *finds, bint places) noexcept nogil:
    """content_finders._cards, in a text without non-ASCII separators."""
    cdef Py_ssize_t at = 0, start
    cdef Py_ssize_t spots[LONGEST_CARD_ROW]
    cdef uint8_t digits[LONGEST_CARD_ROW]
    cdef Py_ssize_t last = 0
    cdef int count
    while at < size:
        if not _digit(text[at]):
            at += 1
            continue
        start = at
        count = 0
        while True:
            if count < LONGEST_CARD_ROW:
                spots[count] = at
                digits[count] = text[at] - c"0"
            count += 1
            last = at
            at += 1
            if at < size and _digit(text[at]):
                continue
            if size - at >= 2 and _joins_digits(text[at]) and _digit(text[at + 1]):
                at += 1
                continue
            break
        if count < 13:
            continue
        finds.places += 1
        if places or count > LONGEST_CARD_ROW:
            _note(finds, start, last + 1)
        else:
            _card_spans(digits, spots, count, finds)


cdef void _card_spans(uint8_t *digits, Py_ssize_t *spots, int count, Finds *finds) noexcept nogil:
    """content_numbers.card_spans."""
    cdef int even[LONGEST_CARD_ROW + 1]
    cdef int odd[LONGEST_CARD_ROW + 1]
    cdef int first, index, doubled, end, lengths, length, two, four, total
    even[0] = odd[0] = 0
    for index in range(count):
        doubled = digits[index] * 2 - 9 if digits[index] > 4 else digits[index] * 2
        even[index + 1] = even[index] + (doubled if index % 2 else digits[index])
        odd[index + 1] = odd[index] + (digits[index] if index % 2 else doubled)
    for first in range(count - 12):
        two = digits[first] * 10 + digits[first + 1]
        four = two * 100 + digits[first + 2] * 10 + digits[first + 3]
        lengths = _card_lengths(two, four)
        length = 13
        while lengths:
            if lengths & 1:
                end = first + length
                if end <= count:
                    total = odd[end] - odd[first] if (end - 1) % 2 else even[end] - even[first]
                    if total % 10 == 0:
                        _note(finds, spots[first], spots[end - 1] + 1)
            lengths >>= 1
            length += 1


cdef int _card_lengths(int two, int four) noexcept nogil:
    """content_numbers._lengths; bit n: n + 13 digits."""
    if two // 10 == 4:
        return 0b1001001
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return 0b0001000
    if two == 34 or two == 37:
        return 0b0000100
    if two == 36 or two == 38 or two == 39 or 3000 <= four <= 3059:
        return 0b1001010
    if 3528 <= four <= 3589:
        return 0b1111000
    if two == 50 or 56 <= two <= 59 or two // 10 == 6:
        return 0b1111000 if two == 60 or two == 62 or two == 64 or two == 65 else 0b1101101
    return 0


cdef void _emails(octets text, Py_ssize_t size, Finds *finds) noexcept nogil:
    """The pattern of Email, in an ASCII text."""
    cdef Py_ssize_t at = 0, begin, end, floor = 0
    while at < size:
        if text[at] != c"@":
            at += 1
            continue
        begin = at
        while begin > floor and _is(text[begin - 1], IS_LOCAL):
            begin -= 1
        end = at + 1
        while end < size and _is(text[end], IS_DOMAIN):
            end += 1
        if begin == at or end == at + 1 or not (size - end >= 2 and text[end] == c"." and _is(text[end + 1], IS_DOMAIN)):
            at += 1
            continue
        while size - end >= 2 and text[end] == c"." and _is(text[end + 1], IS_DOMAIN):
            end += 2
            while end < size and _is(text[end], IS_DOMAIN):
                end += 1
        _note(finds, begin, end)
        floor = at = end


cdef inline bint _edge_before(octets text, Py_ssize_t at) noexcept nogil:
    """Whether \b holds before a word's character."""
    return at == 0 or not _is(text[at - 1], IS_WORD)


cdef inline bint _edge_behind(octets text, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """Whether \b holds behind a word's character."""
    return at >= size or not _is(text[at], IS_WORD)


cdef inline bint _digits_at(octets text, Py_ssize_t at, Py_ssize_t size, int count) noexcept nogil:
    cdef int index
    if size - at < count:
        return False
    for index in range(count):
        if not _digit(text[at + index]):
            return False
    return True


cdef inline bint _in_phone(uint8_t byte) noexcept nogil:
    return (
        byte == c" " or byte == c"." or byte == c"/" or byte == c"(" or byte == c")" or byte == c"-"
    )


cdef Py_ssize_t _international(octets text, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """(?:\\+|\\b00)[1-9][0-9]{0,2}(?:[ ./()\\-]{0,2}[0-9]){6,13}; the end, or -1."""
    cdef Py_ssize_t ends[16]
    cdef Py_ssize_t next_at
    cdef int further = 0, together = 0, gap, code, group
    if text[at] == c"+":
        at += 1
    elif text[at] == c"0" and size - at >= 2 and text[at + 1] == c"0" and _edge_before(text, at):
        at += 2
    else:
        return -1
    if at >= size or not c"1" <= text[at] <= c"9":
        return -1
    ends[0] = at + 1
    while further < 15:
        next_at = ends[further]
        gap = 0
        while gap < 2 and next_at < size and _in_phone(text[next_at]):
            next_at += 1
            gap += 1
        if next_at >= size or not _digit(text[next_at]):
            break
        further += 1
        ends[further] = next_at + 1
        if gap == 0 and together == further - 1:
            together = further
    code = together if together < 2 else 2
    while code >= 0:
        group = further - code
        if group > 13:
            group = 13
        if group >= 6:
            return ends[code + group]
        code -= 1
    return -1


cdef Py_ssize_t _national(octets text, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """\\(?\\b[0-9]{3}\\)?[ .\\-][0-9]{3}[ .\\-][0-9]{4}\\b; the end, or -1."""
    if text[at] == c"(":
        at += 1
    elif not _edge_before(text, at):
        return -1
    if not _digits_at(text, at, size, 3):
        return -1
    at += 3
    if at < size and text[at] == c")":
        at += 1
    if at >= size or not _joins_digits(text[at]) or not _digits_at(text, at + 1, size, 3):
        return -1
    at += 4
    if at >= size or not _joins_digits(text[at]) or not _digits_at(text, at + 1, size, 4):
        return -1
    at += 5
    return at if _edge_behind(text, at, size) else -1


cdef Py_ssize_t _trunk(octets text, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """\\b0[1-9][0-9]{1,4}[ /\\-][0-9](?:[ \\-]?[0-9]){4,9}\\b; the end, or -1."""
    cdef Py_ssize_t ends[10]
    cdef int area = 0, groups = 0
    if text[at] != c"0" or not _edge_before(text, at):
        return -1
    at += 1
    if at >= size or not c"1" <= text[at] <= c"9":
        return -1
    at += 1
    while area < 4 and at < size and _digit(text[at]):
        area += 1
        at += 1
    if area == 0 or at >= size or not (text[at] == c" " or text[at] == c"/" or text[at] == c"-"):
        return -1
    at += 1
    if at >= size or not _digit(text[at]):
        return -1
    ends[0] = at + 1
    while groups < 9:
        at = ends[groups]
        if at < size and (text[at] == c" " or text[at] == c"-"):
            at += 1
        if at >= size or not _digit(text[at]):
            break
        groups += 1
        ends[groups] = at + 1
    while groups >= 4:
        if _edge_behind(text, ends[groups], size):
            return ends[groups]
        groups -= 1
    return -1


cdef void _phones(octets text, Py_ssize_t size, Finds *finds) noexcept nogil:
    """The pattern of Phone: at each place the first of its three forms that fits."""
    cdef Py_ssize_t at = 0, end
    cdef uint8_t byte
    while at < size:
        byte = text[at]
        if byte != c"+" and byte != c"(" and not (_digit(byte) and _edge_before(text, at)):
            at += 1
            continue
        end = _international(text, at, size)
        if end < 0 and byte != c"+":
            end = _national(text, at, size)
            if end < 0 and byte != c"(":
                end = _trunk(text, at, size)
        if end < 0:
            at += 1
            continue
        _note(finds, at, end)
        at = end


cdef void _ibans(octets text, Py_ssize_t size, Finds *finds, bint places) noexcept nogil:
    """content_finders._ibans."""
    cdef Py_ssize_t at = 0
    while size - at >= 4:
        if not (
            _is(text[at], IS_LETTER)
            and _is(text[at + 1], IS_LETTER)
            and _digit(text[at + 2])
            and _digit(text[at + 3])
        ):
            at += 1
            continue
        finds.places += 1
        if places:
            _note(finds, at, at + 4)
        else:
            _iban(text, at, size, finds)
        at += 4


cdef inline uint8_t _upper(uint8_t byte) noexcept nogil:
    return byte - 32 if c"a" <= byte <= c"z" else byte


cdef void _iban(octets text, Py_ssize_t begin, Py_ssize_t size, Finds *finds) noexcept nogil:
    """content_numbers.iban_length, of what may belong to one."""
    cdef uint8_t letters[LONGEST_IBAN_TEXT]
    cdef Py_ssize_t at = begin
    cdef int count = 0, length, index
    cdef uint64_t rest = 0
    cdef uint8_t byte
    length = IBAN_LENGTHS[(_upper(text[at]) - 65) * 26 + _upper(text[at + 1]) - 65]
    if length == 0 or size - at < length:
        return
    while count < length:
        if count and at < size and (text[at] == c" " or text[at] == c"-"):
            at += 1
        if at >= size or not _is(text[at], IS_LETTER | IS_DIGIT):
            return
        letters[count] = _upper(text[at])
        count += 1
        at += 1
    for index in range(length):
        byte = letters[index + 4 if index + 4 < length else index + 4 - length]
        if byte >= c"A":
            rest = rest * 100 + byte - 55
        else:
            rest = rest * 10 + byte - c"0"
        if rest >> 56:  # until then the next one fits
            rest %= 97
    if rest % 97 == 1:
        _note(finds, begin, at)


cdef inline bint _starts(octets text, Py_ssize_t at, Py_ssize_t size, const char *word, Py_ssize_t length) noexcept nogil:
    return size - at >= length and memcmp(text + at, word, length) == 0


cdef inline bint _upper_or_digit(uint8_t byte) noexcept nogil:
    return c"A" <= byte <= c"Z" or _digit(byte)


cdef Py_ssize_t _armour(octets text, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """[A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----; the end, or -1. What stands before the last PRIVATE KEY of the words
    may be anything of them, so that one decides."""
    cdef Py_ssize_t begin = at, place
    while at < size and (text[at] == c" " or _upper_or_digit(text[at])):
        at += 1
    if not _starts(text, at, size, "-----", 5):
        return -1
    place = at - 11
    while place >= begin:
        if memcmp(text + place, "PRIVATE KEY", 11) == 0:
            return at + 5
        if _digit(text[place + 10]):
            return -1  # a digit behind every PRIVATE KEY that could still come
        place -= 1
    return -1


cdef void _private_keys(octets text, Py_ssize_t size, Finds *finds) noexcept nogil:
    """The pattern of PrivateKey: to its end, or to the end of the text."""
    cdef Py_ssize_t at = 0, end, close
    while size - at >= 11:
        if text[at] != c"-" or not _starts(text, at, size, "-----BEGIN ", 11):
            at += 1
            continue
        end = _armour(text, at + 11, size)
        if end < 0:
            at += 1
            continue
        close = -1
        while end < size:
            if text[end] == c"-" and _starts(text, end, size, "-----END ", 9):
                close = _armour(text, end + 9, size)
                if close >= 0:
                    break
            end += 1
        if close < 0:
            close = size
        _note(finds, at, close)
        at = close


cdef enum KeyPart:
    UPPER = 0  # [A-Z0-9]
    PLAIN = 1  # [A-Za-z0-9]
    SNAKE = 2  # [A-Za-z0-9_]
    KEBAB = 3  # [A-Za-z0-9-]
    BOTH = 4  # [A-Za-z0-9_-]


cdef Py_ssize_t _part(
    octets text, Py_ssize_t at, Py_ssize_t size, KeyPart what, Py_ssize_t least, Py_ssize_t most
) noexcept nogil:
    """As many characters as there are, up to `most`; the end, -1 for fewer than `least`. 0: without bound."""
    cdef Py_ssize_t begin = at
    cdef uint8_t byte
    while at < size and (most == 0 or at - begin < most):
        byte = text[at]
        if not _is(byte, IS_KEY):
            break
        if (byte == c"_" and what != SNAKE and what != BOTH) or (byte == c"-" and what != KEBAB and what != BOTH):
            break
        if what == UPPER and not _upper_or_digit(byte):
            break
        at += 1
    return at if at - begin >= least else -1


cdef Py_ssize_t _access_key(octets text, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """The pattern of AccessKey at one place; the end, or -1. No two of its forms begin alike."""
    cdef uint8_t byte = text[at], third
    if size - at < 13:
        return -1
    third = text[at + 2]
    if byte == c"A":
        if _starts(text, at, size, "AIza", 4):
            return _part(text, at + 4, size, BOTH, 35, 35)
        if text[at + 3] == c"A" and (
            _starts(text, at, size, "AKI", 3)
            or _starts(text, at, size, "ASI", 3)
            or _starts(text, at, size, "ARO", 3)
            or _starts(text, at, size, "AID", 3)
            or _starts(text, at, size, "AGP", 3)
            or _starts(text, at, size, "ANP", 3)
        ):
            return _part(text, at + 4, size, UPPER, 16, 16)
    elif byte == c"g":
        if text[at + 1] == c"h" and text[at + 3] == c"_" and (
            third == c"p" or third == c"o" or third == c"u" or third == c"s" or third == c"r"
        ):
            return _part(text, at + 4, size, PLAIN, 36, 255)
        if _starts(text, at, size, "github_pat_", 11):
            return _part(text, at + 11, size, SNAKE, 22, 255)
        if _starts(text, at, size, "glpat-", 6):
            return _part(text, at + 6, size, BOTH, 20, 0)
    elif byte == c"x":
        if _starts(text, at, size, "xox", 3) and text[at + 4] == c"-" and memchr("abeprs", text[at + 3], 6) != NULL:
            return _part(text, at + 5, size, KEBAB, 10, 0)
    elif byte == c"s":
        if _starts(text, at, size, "sk_live_", 8) or _starts(text, at, size, "sk_test_", 8):
            return _part(text, at + 8, size, PLAIN, 16, 0)
        if _starts(text, at, size, "sk-", 3):
            return _part(text, at + 3, size, BOTH, 20, 0)
    return -1


cdef Py_ssize_t _dotted(octets text, Py_ssize_t at, Py_ssize_t size, Py_ssize_t least) noexcept nogil:
    """At least so many characters and a full stop; what stands behind it, or -1."""
    cdef Py_ssize_t end = _part(text, at, size, BOTH, least, 0)
    return end + 1 if 0 <= end < size and text[end] == c"." else -1


cdef void _web_tokens(octets text, Py_ssize_t size, Finds *finds) noexcept nogil:
    """The second pattern of AccessKey, three parts with full stops between them. Where one does not begin, none
    begins further on in the same first part: every part is walked over three times at most."""
    cdef Py_ssize_t at = 0, end
    cdef const void *hint
    while size - at >= 30:
        hint = memchr(text + at + 2, c"J", size - at - 2)
        if hint == NULL:
            return
        at = <octets>hint - text - 2
        if text[at] != c"e" or text[at + 1] != c"y":
            at += 1
            continue
        end = _dotted(text, at + 3, size, 10)
        if end >= 0:
            end = _dotted(text, end, size, 10)
        if end >= 0:
            end = _part(text, end, size, BOTH, 5, 0)
        if end < 0:
            at = _part(text, at + 3, size, BOTH, 0, 0)
            continue
        _note(finds, at, end)
        at = end


cdef void _access_keys(octets text, Py_ssize_t size, Finds *finds) noexcept nogil:
    """The first pattern of AccessKey."""
    cdef Py_ssize_t at = 0, end
    while size - at >= 13:
        if not STARTS_KEY[text[at]]:
            at += 1
            continue
        end = _access_key(text, at, size)
        if end < 0:
            at += 1
            continue
        _note(finds, at, end)
        at = end


cdef extern from *:
    """
    #define TOLLHOUSE_ONES 0x0101010101010101ULL
    #define TOLLHOUSE_TOPS 0x8080808080808080ULL
    """
    const uint64_t ONES "TOLLHOUSE_ONES"
    const uint64_t TOPS "TOLLHOUSE_TOPS"

cdef struct Sight:
    uint64_t high  # a byte above ASCII, where not 0; and so with the others
    uint64_t letters
    uint64_t ats
    uint64_t hints  # without one of these no key is there
    Py_ssize_t digits


cdef inline uint64_t _equal(uint64_t word, uint8_t byte) noexcept nogil:
    """Not 0 where one of eight bytes is this one."""
    word ^= ONES * byte
    return (word - ONES) & ~word & TOPS


cdef inline uint64_t _between(uint64_t word, uint8_t first, uint8_t last) noexcept nogil:
    """The top bit of each of eight bytes (of ASCII) that lies between."""
    return (word + ONES * <uint8_t>(0x80 - first)) & ~(word + ONES * <uint8_t>(0x7F - last)) & TOPS


cdef inline void _see_word(uint64_t word, Sight *sight) noexcept nogil:
    cdef uint64_t low = word & ~TOPS
    sight.high |= word & TOPS
    sight.digits += ((_between(low, c"0", c"9") >> 7) * ONES) >> 56
    sight.letters |= _between(low | (ONES * 0x20), c"a", c"z")
    sight.ats |= _equal(low, c"@")
    sight.hints |= _equal(low, c"_") | _equal(low, c"-") | _equal(low, c"A") | _equal(low, c"J")


cdef inline void _see(octets text, Py_ssize_t size, Sight *sight) noexcept nogil:
    """Looks over a text, eight bytes at a time. Bytes above ASCII may count for others and some bytes twice:
    what is asked of a sight is whether something can not be there."""
    cdef uint64_t word = 0
    cdef Py_ssize_t at = 0
    sight.high = sight.letters = sight.ats = sight.hints = 0
    sight.digits = 0
    if size < 8:
        while at < size:
            word = word << 8 | text[at]
            at += 1
        _see_word(word, sight)
        return
    while size - at > 8:
        memcpy(&word, text + at, 8)
        _see_word(word, sight)
        at += 8
    memcpy(&word, text + size - 8, 8)
    _see_word(word, sight)


cdef Verdict _examine(octets text, Py_ssize_t size, int detectors, bint places, bint strict, Finds *finds) noexcept nogil:
    """What is in a value. `places`: whether anything may be there at all (for documents of several values);
    `strict`: it must be UTF-8."""
    cdef Sight sight
    _see(text, size, &sight)
    _none_yet(finds, False)
    if sight.high and strict and not _is_utf8(text, size):
        return BROKEN
    if sight.ats and detectors & EMAIL:
        if sight.high:
            return ASK
        _emails(text, size, finds)
    if size < 8:
        return FOUND if finds.count else CLEAN
    if sight.digits >= 13 and detectors & CARD:
        if sight.high:
            return ASK
        _cards(text, size, finds, places)
    if sight.digits >= 7 and detectors & PHONE:
        _phones(text, size, finds)
    if sight.digits >= 2 and sight.letters and size >= (4 if places else 15) and detectors & IBAN:
        _ibans(text, size, finds, places)
    if sight.hints and size >= 13:
        if detectors & PRIVATE_KEY and memchr(text, c"-", size) != NULL:
            _private_keys(text, size, finds)
        if detectors & ACCESS_KEY:
            _access_keys(text, size, finds)
            _web_tokens(text, size, finds)
    if finds.full:
        return ASK
    return FOUND if finds.count else CLEAN


cdef bint _search(octets text, Py_ssize_t size, int detectors, Finds *finds, int *left) noexcept nogil:
    """See `content_spans`; whether a detector points at too many places."""
    cdef Sight sight
    cdef int before
    _see(text, size, &sight)
    if sight.high:
        if not _is_utf8(text, size):
            left[0] = detectors
            return False
        left[0] = (detectors & EMAIL if sight.ats else 0) | (detectors & CARD if sight.digits >= 13 else 0)
        detectors &= ~(EMAIL | CARD)
    if sight.ats and detectors & EMAIL:
        _emails(text, size, finds)
        if finds.count > MOST_PLACES:
            return True
    if size < 8:
        return False
    if sight.digits >= 13 and detectors & CARD:
        _cards(text, size, finds, False)
        if finds.places > MOST_PLACES:
            return True
    if sight.digits >= 7 and detectors & PHONE:
        before = finds.count
        _phones(text, size, finds)
        if finds.count - before > MOST_PLACES:
            return True
    if sight.digits >= 2 and sight.letters and detectors & IBAN:
        finds.places = 0
        _ibans(text, size, finds, False)
        if finds.places > MOST_PLACES:
            return True
    if sight.hints and size >= 13:
        if detectors & PRIVATE_KEY and memchr(text, c"-", size) != NULL:
            before = finds.count
            _private_keys(text, size, finds)
            if finds.count - before > MOST_PLACES:
                return True
        if detectors & ACCESS_KEY:
            before = finds.count
            _access_keys(text, size, finds)
            if finds.count - before > MOST_PLACES:
                return True
            before = finds.count
            _web_tokens(text, size, finds)
            if finds.count - before > MOST_PLACES:
                return True
    return False


def content_spans(bytes data not None, int detectors):
    """See `content_finders.content_spans`."""
    cdef Finds finds
    cdef octets text = <octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef int left = 0, index
    cdef bint many
    _none_yet(&finds, True)
    try:
        with nogil:
            many = _search(text, size, detectors, &finds, &left)
        if many:
            raise TooMany
        if finds.full:
            raise MemoryError
        return [(finds.spans[index].begin, finds.spans[index].end) for index in range(finds.count)], left
    finally:
        if finds.spans != finds.own:
            PyMem_RawFree(finds.spans)
