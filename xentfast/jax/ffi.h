/* What _handlers.pyx needs of XLA's foreign function interface, whose own header (xla/ffi/api/c_api.h) comes with jaxlib, which is
 * not there when a wheel is built. Field for field the memory of the structs there, under names of our own; a test compares sizes
 * and offsets with the header of the installed jaxlib (tests/jax/test_layout.py).
 *
 * Versions. This is 0.3, and what is declared here is the same from 0.1 on. Within a major version fields are only added, at
 * the end. Every struct tells its size, up to the end of the last field that whoever made it knows. */
#ifndef XENTFAST_JAX_FFI_H
#define XENTFAST_JAX_FFI_H

#include <stddef.h>
#include <stdint.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define XF_FFI_MAJOR 0
#define XF_FFI_MINOR 3
#define XF_FFI_OLDEST_MINOR 1

/* Up to the end of a field. */
#define XF_FFI_SIZE(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* Enumerations are ints there. */
enum { XF_FFI_METADATA = 1 };                           /* kinds of extensions */
enum { XF_FFI_EXECUTE = 3 };                            /* stages */
enum { XF_FFI_BUFFER = 1 };                             /* kinds of arguments and results */
enum { XF_FFI_ARRAY = 1 };                              /* kinds of attributes */
enum { XF_FFI_INVALID_ARGUMENT = 3, XF_FFI_RESOURCE_EXHAUSTED = 8, XF_FFI_INTERNAL = 13 };         /* codes of errors */
enum {                                                  /* dtypes */
    XF_FFI_BOOL = 1,
    XF_FFI_INT8 = 2,
    XF_FFI_INT16 = 3,
    XF_FFI_INT32 = 4,
    XF_FFI_INT64 = 5,
    XF_FFI_UINT8 = 6,
    XF_FFI_UINT16 = 7,
    XF_FFI_UINT32 = 8,
    XF_FFI_UINT64 = 9,
    XF_FFI_FLOAT32 = 11,
    XF_FFI_FLOAT64 = 12
};

typedef struct xf_ffi_extension {
    size_t bytes;
    int kind;
    struct xf_ffi_extension *next;
} xf_ffi_extension;

typedef struct xf_ffi_version {
    size_t bytes;
    xf_ffi_extension *extensions;
    int major_version;
    int minor_version;
} xf_ffi_version;

/* What a handler says of itself where the metadata extension asks for it: at registration. */
typedef struct xf_ffi_metadata {
    size_t bytes;
    xf_ffi_version version;
    uint32_t traits;
} xf_ffi_metadata;

typedef struct xf_ffi_metadata_extension {
    xf_ffi_extension extension;
    xf_ffi_metadata *metadata;
} xf_ffi_metadata_extension;

typedef struct xf_ffi_error xf_ffi_error;               /* XLA's; whom a handler returns it to destroys it */

typedef struct xf_ffi_new_error {
    size_t bytes;
    xf_ffi_extension *extensions;
    const char *message;                                /* is copied */
    int code;
} xf_ffi_new_error;

/* XLA's functions, of which we call the first. */
typedef struct xf_ffi_api {
    size_t bytes;
    xf_ffi_extension *extensions;
    xf_ffi_version version;
    const void *internals;
    xf_ffi_error *(*create_error)(xf_ffi_new_error *);
} xf_ffi_api;

typedef struct xf_ffi_buffer {
    size_t bytes;
    xf_ffi_extension *extensions;
    int dtype;
    void *data;
    int64_t rank;
    int64_t *dims;
} xf_ffi_buffer;

/* Of arguments and of results alike. */
typedef struct xf_ffi_buffers {
    size_t bytes;
    xf_ffi_extension *extensions;
    int64_t count;
    int *kinds;
    void **buffers;
} xf_ffi_buffers;

typedef struct xf_ffi_text {
    const char *start;                                  /* no zero at its end */
    size_t length;
} xf_ffi_text;

typedef struct xf_ffi_array {
    int dtype;
    size_t count;
    void *data;
} xf_ffi_array;

typedef struct xf_ffi_attributes {
    size_t bytes;
    xf_ffi_extension *extensions;
    int64_t count;
    int *kinds;
    xf_ffi_text **names;
    void **values;
} xf_ffi_attributes;

typedef struct xf_ffi_call {
    size_t bytes;
    xf_ffi_extension *extensions;
    const xf_ffi_api *api;
    void *context;
    int stage;
    xf_ffi_buffers arguments;
    xf_ffi_buffers results;
    xf_ffi_attributes attributes;
} xf_ffi_call;

/* Large results come as memory that nobody has touched, a page fault for each 4 KiB of it: as NumPy does for its arrays, ask for
 * pages of 2 MiB. A hint, to the whole of those pages that lie inside. */
static inline void xf_ffi_ask_for_huge_pages(void *data, size_t bytes)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = (uintptr_t)1 << 21;
    uintptr_t first = ((uintptr_t)data + page - 1) & ~(page - 1), end = ((uintptr_t)data + bytes) & ~(page - 1);
    if (end > first && end - first >= page)
        (void)madvise((void *)first, (size_t)(end - first), MADV_HUGEPAGE);
#else
    (void)data, (void)bytes;
#endif
}

#endif
