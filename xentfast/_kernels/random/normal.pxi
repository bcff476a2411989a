# What normal variates need: the radius and the angle of Box & Muller (1958), the inverse of the normal distribution. As in
# numerics/lanes.pxi: + − × ÷ and sqrt (which IEEE 754 rounds correctly), comparisons and bits.
#
# Largest errors of whole variates against their formula, over 10⁷ values: normal 4.18 ulp in float32 and 3.58 in float64,
# truncated normal 4.63 (cut at ±2) and 4.69 (at ±5) in float32 (python tools/lanes.py normal_float, normal_double,
# truncated_float, wide_float); truncated in float64 4.2 over the words of tests/init/test_variates.py.

from libc.math cimport sqrt, sqrtf

cdef extern from "numerics/machine.h":
    float WORD_UNIT "XF_WORD_UNIT"
    float HALF_WORD "XF_HALF_WORD"
    double BITS53_UNIT "XF_BITS53_UNIT"
    double BITS53_LAST "XF_BITS53_LAST"
    double BITS53_QUARTERS "XF_BITS53_QUARTERS"
    double QUARTER_BITS53 "XF_QUARTER_BITS53"


# Float32 polynomials are summed by halves (Estrin 1960): as many roundings on a value's way as with Horner's rule or fewer, and
# half the wait for each other, which is what these loops spend their time on.


# The radius √(−2·log u), u = (word + ½)·2⁻³². Where u is above √½ it is taken from 1: 1 − u is then (~word + ½)·2⁻³²,
# which keeps the bits that u would lose.
cdef inline float radius_parts(uint32_t word, float* f) noexcept nogil:
    """word → k and f of log u = k·log 2 + log(1 + f)"""
    # word ≥ √½·2³², as signed integers: AVX2 compares no others
    cdef bint high = <int>(word ^ <uint32_t>0x80000000) >= <int>(<uint32_t>3037000500 ^ <uint32_t>0x80000000)
    cdef uint32_t flip = <uint32_t>0xffffffff if high else <uint32_t>0
    cdef float rest = xf_word_fraction(word ^ flip) + HALF_WORD
    cdef float k = log_exponent_float(rest, f)
    f[0] = -rest if high else f[0]
    return xf_float(xf_bits32(k) & ~flip)


cdef inline float radius_float(float k, float f) noexcept nogil:
    return sqrtf(log_float(k, f, -2.0))


# The same of 53 bits: u = (bits + ½)·2⁻⁵³, 0 ≤ bits < 2⁵³ as a double.
cdef inline double radius_double(double bits) noexcept nogil:
    cdef bint high = bits >= 6369051672525773.0                      # √½·2⁵³
    cdef double rest = (BITS53_LAST - bits if high else bits) + 0.5
    cdef double f, k = log_exponent_double(rest, &f) - 53.0
    f = rest * -BITS53_UNIT if high else f
    k = 0.0 if high else k
    return sqrt(-2.0 * log_double(k, f, k * DOUBLE_LN2_LOW))


# Cosine and sine of the angle (word + ½)·2⁻³² of a turn, by its distance x from the nearest axis in quarter turns, |x| ≤ ½.
# Polynomials sin(πx/2)/x in x², degree 3, minimax error 0.06 ulp, its first coefficient in two parts; and
# (cos(πx/2) − 1)/x², degree 3, 0.002 ulp.
cdef inline float angle_float(uint32_t word) noexcept nogil:
    """x: without its two highest bits, the word is a signed integer."""
    return (<float><int>(word << 2) + <float>2.0) * WORD_UNIT


cdef inline float circle_float(float x, float* along_axis) noexcept nogil:
    """sin(πx/2); cos(πx/2) goes to `along_axis`."""
    cdef float z = x * x
    cdef float across = ((<float>-0.00460165785625577 * z + <float>0.07968003302812576) * (z * z)
                         + (<float>-0.6459634900093079 * z + <float>-4.8797944418532321e-08))
    cdef float along = ((<float>0.0009037665440700948 * z + <float>-0.02086016535758972) * (z * z)
                        + (<float>0.25366923213005066 * z + <float>-1.2337005138397217))
    across = x * <float>1.5707963705062866 + x * across
    along_axis[0] = along * z + <float>1.0
    return across


cdef inline float turned_float(uint32_t word, float across, float along, float* sine) noexcept nogil:
    """The word's cosine, and its sine, from sine and cosine of its x. Two bits of the word plus ⅛ turn number the axis."""
    cdef uint32_t axis = word + <uint32_t>0x20000000
    cdef bint odd = <int>(axis << 1) < 0
    sine[0] = xf_float(xf_bits32(along if odd else across) ^ (axis & <uint32_t>0x80000000))
    return xf_float(xf_bits32(across if odd else along) ^ ((axis + <uint32_t>0x40000000) & <uint32_t>0x80000000))


# The same of 53 bits: (bits + ½)·2⁻⁵³ of a turn. Degrees 7 and 6, minimax errors below 0.001 ulp.
cdef inline double circle_double(double bits, double* sine) noexcept nogil:
    cdef double shifted = bits * BITS53_QUARTERS + DOUBLE_ROUND
    cdef uint64_t quarter = xf_bits64(shifted)
    cdef double x = ((bits - (shifted - DOUBLE_ROUND) * QUARTER_BITS53) + 0.5) * BITS53_QUARTERS
    cdef double z = x * x
    cdef double along, across
    across = -6.627430863872462e-10 * z + 5.6919261498011693e-08
    across = across * z + -3.598842711288438e-06
    across = across * z + 0.00016044118472567192
    across = across * z + -0.004681754135314739
    across = across * z + 0.07969262624616692
    across = (across * z + -0.6459640975062463) * z + 6.1229387507652666e-17
    across = x * 1.5707963267948966 + x * across
    along = -6.321202066628655e-09 * z + 4.7106096693177557e-07
    along = along * z + -2.5202036788287477e-05
    along = along * z + 0.0009192602741910666
    along = along * z + -0.02086348076331257
    along = along * z + 0.2536695079010468
    along = (along * z + -1.2337005501361697) * z + 1.0
    # SSE2 compares no 64-bit integers: in odd quarters the two change places by way of their difference's bits.
    cdef uint64_t exchanged = (xf_bits64(along) ^ xf_bits64(across)) & (0 - (quarter & 1))
    sine[0] = xf_double(xf_bits64(across) ^ exchanged ^ ((quarter & 2) << 62))
    return xf_double(xf_bits64(along) ^ exchanged ^ (((quarter + 1) & 2) << 62))


# The x > 0 that a normal variate exceeds with probability `tail` ≤ ½, after the manner of Wichura 1988 (AS 241). With
# y = ½ − tail at most 0.425, x = y·(√(2π) + y²·Q), Q a ratio of polynomials in tail·(1 − tail), degrees 3 and 3, minimax
# error 0.09 ulp; beyond, x is a ratio of polynomials in √(−log tail) − 1.6, degrees 4 and 3, 0.13 ulp up to a tail of 10⁻³⁸
# (x = 13). y is an argument because what `tail` rounds away of it is most of x near 0.
cdef inline float inverse_tail_float(float tail, float y, float depth) noexcept nogil:
    cdef bint far = y > <float>0.425
    cdef float v = depth if far else tail - tail * tail
    cdef float square = v * v
    cdef float over, under
    over = (((<float>0.030320189893245697 if far else <float>0.0) * v
             + (<float>0.45477721095085144 if far else <float>328.8074035644531)) * v
            + (<float>1.990785002708435 if far else <float>2453.195556640625)) * square
    over = over + ((<float>3.1283621788024902 if far else <float>546.8892211914062) * v
                   + (<float>1.4234371185302734 if far else <float>12.604019165039062))
    under = ((<float>0.02143474668264389 if far else <float>1860.0865478515625) * v
             + (<float>0.28767114877700806 if far else <float>1037.7271728515625)) * square
    under = under + ((<float>0.9980170130729675 if far else <float>89.33522033691406) * v + <float>1.0)
    over = over / under
    return over if far else y * (<float>2.5066282749176025 + y * y * over)


cdef inline float tail_depth_float(float tail) noexcept nogil:
    """√(−log tail) − 1.6"""
    cdef float f, k = log_exponent_float(tail, &f)
    return sqrtf(log_float(k, f, -1.0)) - <float>1.6


# The same for |x| ≤ 2 alone, half the work: degrees 4 and 4, minimax error 0.22 ulp from a tail of 0.0222.
cdef inline float inverse_tail_narrow(float tail, float y) noexcept nogil:
    cdef float v = tail - tail * tail
    cdef float square = v * v
    cdef float over, under
    over = (((<float>28546.728515625 * v + <float>220798.78125) * v + <float>59912.109375) * square
            + (<float>2586.27587890625 * v + <float>15.274377822875977))
    under = (((<float>165008.84375 * v + <float>101981.015625) * v + <float>11613.603515625) * square
             + (<float>282.2697448730469 * v + <float>1.0))
    return y * (<float>2.5066282749176025 + y * y * (over / under))


# The same in float64: degrees 7, minimax errors 0.67, 0.14 and 0.22 ulp in three pieces, the last from a tail of e⁻²⁵
# to one of 10⁻³⁰⁸ (x = 37).
cdef inline double inverse_tail_double(double y, double depth) noexcept nogil:
    cdef bint far = y > 0.425, farther = depth > 5.0
    cdef double v, over, under
    v = (depth - 5.0 if farther else depth - 1.6) if far else 0.180625 - y * y
    over = piece(far, farther, 2508.3605394259316, 0.0007795785982252195, 2.0214096782023467e-07) * v
    over = (over + piece(far, farther, 33422.729362701044, 0.022875490251162322, 2.7216846710541922e-05)) * v
    over = (over + piece(far, farther, 67253.41609037398, 0.24321131608161517, 0.0012457737572473167)) * v
    over = (over + piece(far, farther, 45915.68702182832, 1.2762978410065704, 0.026575920694609945)) * v
    over = (over + piece(far, farther, 13730.39656896164, 3.659199800527758, 0.2968686810524525)) * v
    over = (over + piece(far, farther, 1971.4766027884946, 5.7796880399939825, 1.7858850076441253)) * v
    over = (over + piece(far, farther, 133.13811026867316, 4.63365564143384, 5.465192699400995)) * v
    over = over + piece(far, farther, 3.3871328727963665, 1.4234371107496837, 6.657904643501103)
    under = piece(far, farther, 5225.106455031243, 1.0510434831954418e-09, 2.076633575527105e-15) * v
    under = (under + piece(far, farther, 28722.863516333942, 0.0005511528202855129, 1.42934305524443e-07)) * v
    under = (under + piece(far, farther, 39301.24219814039, 0.015300235678302415, 1.8530893899362328e-05)) * v
    under = (under + piece(far, farther, 21211.124875129273, 0.14896274066641085, 0.000788734213072974)) * v
    under = (under + piece(far, farther, 5393.7252701342795, 0.6927091964208953, 0.014897119475196398)) * v
    under = (under + piece(far, farther, 687.1500915825712, 1.680747748771769, 0.13704216973768607)) * v
    under = (under + piece(far, farther, 42.31228036692411, 2.0555224604008, 0.6000436526958163)) * v
    over = over / (under + 1.0)
    return over if far else over * y


cdef inline double tail_depth_double(double tail) noexcept nogil:
    """√(−log tail)"""
    cdef double f, k = log_exponent_double(tail, &f)
    return sqrt(-log_double(k, f, k * DOUBLE_LN2_LOW))


cdef inline double piece(bint far, bint farther, double centre, double middle, double end) noexcept nogil:
    return (end if farther else middle) if far else centre
