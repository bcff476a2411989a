# Bits of numbers, and the 16-bit floats: integer and bit operations, and exact ones of float32.
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef fused real:
    float
    double

cdef extern from "numerics/machine.h":
    float FLOAT16_MIN "XF_FLOAT16_MIN"
    uint32_t xf_bits32(float value) noexcept nogil
    float xf_float(uint32_t bits) noexcept nogil
    uint64_t xf_bits64(double value) noexcept nogil
    double xf_double(uint64_t bits) noexcept nogil
    float xf_word_fraction(uint32_t value) noexcept nogil
    Py_ssize_t xf_from_float16(const uint16_t* source, Py_ssize_t n, float* target) noexcept nogil
    Py_ssize_t xf_to_float16(const float* source, Py_ssize_t n, uint16_t* target) noexcept nogil


# To the nearest, ties to even.
cdef inline uint16_t to_float16(float value) noexcept nogil:
    cdef uint32_t bits = xf_bits32(value)
    cdef uint32_t size = bits & <uint32_t>0x7fffffff
    # A normal half: rebias the exponent and round away 13 bits. Below 2⁻¹⁴ adding ½ leaves multiples of 2⁻²⁴ in the low bits.
    cdef uint32_t normal = (size + <uint32_t>0xc8000fff + ((size >> 13) & 1)) >> 13
    cdef uint32_t tiny = xf_bits32(xf_float(size) + <float>0.5) - <uint32_t>0x3f000000
    cdef uint32_t half = tiny if size < <uint32_t>0x38800000 else normal
    half = <uint32_t>0x7c00 if size >= <uint32_t>0x477ff000 else half
    half = <uint32_t>0x7e00 if size > <uint32_t>0x7f800000 else half            # nan
    return <uint16_t>((bits >> 16 & <uint32_t>0x8000) | half)


cdef inline uint16_t to_bfloat16(float value) noexcept nogil:
    cdef uint32_t bits = xf_bits32(value)
    return <uint16_t>((bits + <uint32_t>0x7fff + ((bits >> 16) & 1)) >> 16)


cdef inline float from_float16(uint16_t half) noexcept nogil:
    cdef uint32_t size = <uint32_t>(half & 0x7fff) << 13
    # Rebias the exponent; that of inf and nan moves on to the last one. Below 2⁻¹⁴ the bits count multiples of 2⁻²⁴.
    cdef uint32_t normal = size + <uint32_t>0x38000000
    cdef uint32_t tiny = xf_bits32(xf_float(size + <uint32_t>0x38800000) - FLOAT16_MIN)
    cdef uint32_t bits = tiny if size < <uint32_t>0x00800000 else normal
    bits = size + <uint32_t>0x70000000 if size >= <uint32_t>0x0f800000 else bits
    return xf_float(bits | <uint32_t>(half & 0x8000) << 16)


cdef inline float from_bfloat16(uint16_t bits) noexcept nogil:
    return xf_float(<uint32_t>bits << 16)


cdef inline bint is_special(real x) noexcept nogil:
    """nan or infinite"""
    if real is float:
        return (xf_bits32(x) & <uint32_t>0x7f800000) == <uint32_t>0x7f800000
    else:
        return (xf_bits64(x) & <uint64_t>0x7ff0000000000000) == <uint64_t>0x7ff0000000000000


cdef inline real flipped(real x) noexcept nogil:
    """−x, but for the infinities, which stay as they are."""
    if real is float:
        return xf_float(xf_bits32(x) ^ (0 if is_special(x) else <uint32_t>0x80000000))
    else:
        return xf_double(xf_bits64(x) ^ (0 if is_special(x) else <uint64_t>0x8000000000000000))
