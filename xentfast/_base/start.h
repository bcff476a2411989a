/* Whether threads can be started at all. OpenMP's libraries end the process where they cannot start one: limits of processes
 * (RLIMIT_NPROC, pids.max of a control group) and of memory for stacks are seen here instead, by trying, once for each thread that
 * calls and each number larger than before. Where others take what was left in between, or such a limit comes later, OpenMP has
 * its way. */
#ifndef XENTFAST_START_H
#define XENTFAST_START_H

#if defined(_OPENMP) && !defined(_WIN32)
#include <pthread.h>
#include <stdlib.h>

enum { XF_CALLS_BETWEEN = 63 };             /* on one thread, where more could not be started, before they are tried again */

static void *xf_pass_gate(void *gate)
{
    pthread_mutex_lock((pthread_mutex_t *)gate);
    pthread_mutex_unlock((pthread_mutex_t *)gate);
    return NULL;
}

/* So many at once, beside this one. */
static int xf_try_start(int n)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = (pthread_t *)malloc((size_t)n * sizeof(pthread_t));
    int started = 0, i;
    if (threads == NULL)
        return 0;
    pthread_mutex_lock(&gate);
    while (started < n && pthread_create(threads + started, NULL, xf_pass_gate, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return started == n;
}

/* n, or 1 where a team of n threads cannot be started. */
static int xf_startable(int n)
{
    static __thread int tried = 1, calls_left = 0;
    if (n <= tried)
        return n;
    if (calls_left > 0) {
        calls_left--;
        return 1;
    }
    if (!xf_try_start(n - 1)) {
        calls_left = XF_CALLS_BETWEEN;
        return 1;
    }
    tried = n;
    return n;
}
#else
static int xf_startable(int n) { return n; }
#endif
#endif
