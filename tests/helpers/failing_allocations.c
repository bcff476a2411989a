/* Preloaded (glibc): the k-th allocation that is asked for from certain code fails, or all from there on: those of this package,
 * by itself or through Python's C functions, and those of NumPy for the values of arrays. What else is in the process, the C
 * library, OpenMP's and BLAS, always gets its memory: they end the process without it. So does NumPy for all else: some of its
 * functions fail without an error then, or crash. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { MOST = 256, DEEP = 64, PYTHON = 0, NUMPY = 1, OWN = 2 };
static struct { uintptr_t low, high; int whose; } ranges[MOST];
static int n_ranges;
static long seen, first, last;              /* allocations since they were armed; those from first to last fail */
static int armed;
static long live;                           /* blocks, of everybody */

void fail_in(uintptr_t low, uintptr_t high, int whose)
{
    void *frame;
    backtrace(&frame, 1);                   /* the first allocates */
    if (n_ranges < MOST) {
        ranges[n_ranges].low = low;
        ranges[n_ranges].high = high;
        ranges[n_ranges++].whose = whose;
    }
}

void fail_arm(long from, long to)
{
    seen = 0, first = from, last = to;
    __atomic_store_n(&armed, 1, __ATOMIC_SEQ_CST);
}

/* How many allocations there were meanwhile. */
long fail_disarm(void)
{
    __atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
    return seen;
}

long live_blocks(void) { return __atomic_load_n(&live, __ATOMIC_RELAXED); }

static int whose(const void *address)
{
    int i;
    for (i = 0; i < n_ranges; i++)
        if ((uintptr_t)address >= ranges[i].low && (uintptr_t)address < ranges[i].high)
            return ranges[i].whose;
    return -1;
}

/* Set: allocations fail that Python's evaluation of code makes, too. */
int with_python;

/* Whether memory is wanted by NumPy's C code, for itself or from Python; by Python's evaluation of code, unless this is to fail; or
 * where Python 3.11 crashes without it: iterators of dictionaries, context variables. */
static int exempt(void)
{
    void *frames[DEEP];
    Dl_info about;
    int i, owner, n = backtrace(frames, DEEP);
    for (i = 0; i < n; i++) {
        owner = whose(frames[i]);
        if (owner == NUMPY || owner == OWN)
            return owner == NUMPY;
        if (owner != PYTHON || !dladdr(frames[i], &about) || !about.dli_sname)
            continue;
        if (!strcmp(about.dli_sname, "_PyEval_EvalFrameDefault"))
            return !with_python;
        if (!strcmp(about.dli_sname, "PyObject_GetIter") || !strcmp(about.dli_sname, "PyContextVar_Set"))
            return 1;
    }
    return !with_python;
}

static int fails_now(int for_arrays)
{
    long number = __atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
    if (number < first || number > last || (!for_arrays && exempt()))
        return 0;
    errno = ENOMEM;
    return 1;
}

static int fails(const void *caller)
{
    return __atomic_load_n(&armed, __ATOMIC_RELAXED) && whose(caller) >= 0 && fails_now(0);
}

static void *counted(void *block)
{
    if (block)
        __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    return block;
}

#define CALLER __builtin_return_address(0)
void *malloc(size_t size) { return fails(CALLER) ? NULL : counted(__libc_malloc(size)); }
void *calloc(size_t n, size_t size) { return fails(CALLER) ? NULL : counted(__libc_calloc(n, size)); }
void *memalign(size_t alignment, size_t size) { return fails(CALLER) ? NULL : counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return fails(CALLER) ? NULL : counted(__libc_memalign(alignment, size)); }

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *found = fails(CALLER) ? NULL : counted(__libc_memalign(alignment, size));
    if (!found)
        return ENOMEM;
    *block = found;
    return 0;
}

void *realloc(void *block, size_t size)
{
    if (fails(CALLER))
        return NULL;
    return block ? __libc_realloc(block, size) : counted(__libc_malloc(size));
}

void free(void *block)
{
    if (block)
        __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    __libc_free(block);
}

/* What NumPy gets the values of arrays from, by PyDataMem_SetHandler. */
int with_arrays = 1;
static int array_fails(void) { return with_arrays && __atomic_load_n(&armed, __ATOMIC_RELAXED) && fails_now(1); }
static void *array_malloc(void *context, size_t size) { return array_fails() ? NULL : counted(__libc_malloc(size)); }
static void *array_calloc(void *context, size_t n, size_t size) { return array_fails() ? NULL : counted(__libc_calloc(n, size)); }
static void array_free(void *context, void *block, size_t size) { free(block); }
static void *array_realloc(void *context, void *block, size_t size)
{
    return array_fails() ? NULL : block ? __libc_realloc(block, size) : counted(__libc_malloc(size));
}

struct {
    char name[127];
    uint8_t version;
    struct {
        void *context;
        void *(*malloc)(void *, size_t), *(*calloc)(void *, size_t, size_t), *(*realloc)(void *, void *, size_t);
        void (*free)(void *, void *, size_t);
    } allocator;
} array_handler = {"failing", 1, {NULL, array_malloc, array_calloc, array_realloc, array_free}};
