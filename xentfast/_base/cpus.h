/* Which CPUs the threads of this process may run on.
 *
 * The system says which those of the calling thread are. Where OpenMP binds threads (OMP_PROC_BIND, OMP_PLACES,
 * GOMP_CPU_AFFINITY, KMP_AFFINITY), it has put the calling thread on one of its places, libgomp so when it is loaded, and threads
 * that Python starts inherit that: a mask that is a place is OpenMP's doing, and the CPUs of all places count. Any other mask is
 * somebody's wish.
 *
 * Nothing here starts OpenMP or binds a thread that is not bound: omp_get_place_num and its like would.
 */
#ifndef XENTFAST_CPUS_H
#define XENTFAST_CPUS_H
#if defined(__linux__)
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* The places of OpenMP as masks of so many CPUs: all of them together, then each. They do not change once there are any. */
typedef struct {
    int cpus, places;
    size_t bytes;               /* of a mask */
    int count;                  /* CPUs of all places, of those that the process had when OpenMP was loaded */
    cpu_set_t *all;
    char *each;
} xf_places;

#if defined(_OPENMP) && _OPENMP >= 201511 && defined(__GNUC__)
/* NULL where there is no memory. */
static xf_places *xf_make_places(int cpus, int places)
{
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    xf_places *made = calloc(1, sizeof(xf_places) + bytes * (places + 1));
    int *ids = malloc(sizeof(int) * cpus);
    int place, i, n;
    if (made != NULL && ids != NULL) {
        made->cpus = cpus;
        made->places = places;
        made->bytes = bytes;
        made->all = (cpu_set_t *)(made + 1);
        made->each = (char *)made->all + bytes;
        for (place = 0; place < places; place++) {
            n = omp_get_place_num_procs(place);
            if (n > cpus)
                continue;
            omp_get_place_proc_ids(place, ids);
            for (i = 0; i < n; i++) {
                CPU_SET_S(ids[i], bytes, made->all);        /* ids beyond the mask are left out */
                CPU_SET_S(ids[i], bytes, (cpu_set_t *)(made->each + place * bytes));
            }
        }
        made->count = CPU_COUNT_S(bytes, made->all);
        if (made->count > omp_get_num_procs())          /* GOMP_CPU_AFFINITY may name others */
            made->count = omp_get_num_procs();
    } else {
        free(made);
        made = NULL;
    }
    free(ids);
    return made;
}

/* Those that OpenMP spreads threads over, NULL where it does not. They are read once, for a mask of so many CPUs. */
static const xf_places *xf_bound_places(int cpus)
{
    static xf_places *known = NULL;
    xf_places *made = NULL, *found;
    omp_proc_bind_t bind = omp_get_proc_bind();
    int places;
    if (bind == omp_proc_bind_false || bind == omp_proc_bind_master)        /* unbound; all on the first thread's place */
        return NULL;
    found = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
    if (found == NULL) {
        places = omp_get_num_places();
        made = places > 0 ? xf_make_places(cpus, places) : NULL;
        if (made == NULL)
            return NULL;
        if (__atomic_compare_exchange_n(&known, &found, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            found = made;
        else
            free(made);
    }
    return found->cpus == cpus ? found : NULL;
}
#else
static const xf_places *xf_bound_places(int cpus) { (void)cpus; return NULL; }
#endif

/* Of a calling thread with this mask. */
static int xf_count_cpus(cpu_set_t *mask, int cpus)
{
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    int own = CPU_COUNT_S(bytes, mask), place;
    const xf_places *bound = xf_bound_places(cpus);
    if (bound == NULL)
        return own;
    for (place = 0; place < bound->places; place++)
        if (memcmp(bound->each + place * bytes, mask, bytes) == 0)
            return bound->count;
    CPU_AND_S(bytes, mask, mask, bound->all);
    return CPU_COUNT_S(bytes, mask) > 0 ? CPU_COUNT_S(bytes, mask) : own;
}

/* 0 where the system does not say. */
static int xf_cpus(void)
{
    int n;
    for (n = 1024; n <= 1 << 18; n *= 2) {          /* too small a set is refused */
        cpu_set_t *set = CPU_ALLOC(n);
        int count = 0, failed, too_small;
        if (set == NULL)
            return 0;
        CPU_ZERO_S(CPU_ALLOC_SIZE(n), set);
        failed = sched_getaffinity(0, CPU_ALLOC_SIZE(n), set);
        too_small = failed && errno == EINVAL;
        if (!failed)
            count = xf_count_cpus(set, n);
        CPU_FREE(set);
        if (!too_small)
            return count;
    }
    return 0;
}
#else
static int xf_cpus(void) { return 0; }
#endif
#endif
