# cython: language_level=3, boundscheck=True, wraparound=False, cdivision=True, initializedcheck=True
"""The compiled twin of `template`, `frames` and `rows`: same arguments, same results, same exceptions."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from tollhouse_proxy.kits.content_finders import TooMany
from tollhouse_proxy.kits.content_numbers import IBAN_LENGTHS as IBANS
from tollhouse_proxy.kits.frames import FrameError
from tollhouse_proxy.kits.rows import RowError

cdef extern from *:
    """
    #ifndef TOLLHOUSE_SOURCE
    #error "build with setup.py, which says which source this is"
    #endif
    """
    const char *TOLLHOUSE_SOURCE

SOURCE = TOLLHOUSE_SOURCE.decode("ascii")
"""SHA-256 of the source this was made from."""

ctypedef const uint8_t *octets

include "_native_frames.pxi"
include "_native_template.pxi"
include "_native_content.pxi"
include "_native_rows.pxi"
include "_native_briefs.pxi"
include "_native_tally.pxi"
include "_native_batches.pxi"
