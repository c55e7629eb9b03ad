// The CPU backend's threads. A run hands out task numbers: each thread has its own share, the same from run to run, so
// that what it worked on is still in its cache, and takes from the others' when that is done. Workers that are asleep
// are not waited for: whoever has not joined by the time the tasks are out stays out.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CKernels.h"

// Spinning bridges the gap between the kernels of one pass; a futex holds a worker through anything longer.
enum { SPINS = 2000, OPEN = 1, JOINED = 2 };

typedef struct {
    _Alignas(64) atomic_llong next;  // task of a thread's share
    pthread_t thread;                // of a worker
} share_t;

struct ck_pool {
    int32_t threads;
    share_t *shares;    // one a thread
    cpu_set_t allowed;  // processors of the process
    int avoided;        // the one that workers are kept off; -1: none
    bool pinned;
    pthread_mutex_t running;
    void (*task)(void *, int64_t);
    void *context;
    int64_t tasks;
    _Alignas(64) atomic_uint generation;
    atomic_int sleepers;
    _Alignas(64) atomic_uint state;  // OPEN bit, then how many have joined
    atomic_uint left;
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t first_task(const ck_pool *pool, int32_t thread) { return pool->tasks * thread / pool->threads; }

static void work(ck_pool *pool, int32_t thread) {
    for (int32_t i = 0; i < pool->threads; i++) {
        const int32_t owner = (thread + i) % pool->threads;
        const int64_t end = first_task(pool, owner + 1);
        for (;;) {
            int64_t task = atomic_fetch_add_explicit(&pool->shares[owner].next, 1, memory_order_relaxed);
            if (task >= end) break;
            pool->task(pool->context, task);
        }
    }
}

static bool join(ck_pool *pool) {
    unsigned state = atomic_load_explicit(&pool->state, memory_order_acquire);
    while (state & OPEN)
        if (atomic_compare_exchange_weak_explicit(&pool->state, &state, state + JOINED, memory_order_acq_rel,
                                                  memory_order_acquire))
            return true;
    return false;
}

typedef struct {
    ck_pool *pool;
    int32_t thread;
} worker_t;

static void *worker(void *argument) {
    ck_pool *pool = ((worker_t *)argument)->pool;
    const int32_t thread = ((worker_t *)argument)->thread;
    free(argument);
    unsigned seen = 0;
    for (;;) {
        unsigned now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        for (int spin = 0; now == seen && spin < SPINS; spin++) {
            relax();
            now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        }
        while (now == seen) {
            atomic_fetch_add(&pool->sleepers, 1);
            syscall(SYS_futex, &pool->generation, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
            atomic_fetch_sub(&pool->sleepers, 1);
            now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        }
        seen = now;
        if (!join(pool)) continue;
        work(pool, thread);
        atomic_fetch_add_explicit(&pool->left, 1, memory_order_release);
    }
    return NULL;
}

ck_pool *ck_pool_create(int32_t threads, bool pinned) {
    ck_pool *pool = aligned_alloc(64, (sizeof(ck_pool) + 63) / 64 * 64);
    if (!pool) return NULL;
    *pool = (ck_pool){.threads = 1};
    pool->shares = aligned_alloc(64, sizeof(share_t) * (size_t)(threads > 1 ? threads : 1));
    if (!pool->shares) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->running, NULL);
    sched_getaffinity(0, sizeof pool->allowed, &pool->allowed);
    pool->avoided = -1;
    pool->pinned = pinned;
    int cpu = -1;
    for (int32_t i = 1; i < threads; i++) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        if (pinned) {
            // The caller keeps the first processor it may use; workers take the others in turn.
            if (cpu < 0) do
                    cpu++;
                while (!CPU_ISSET(cpu, &pool->allowed));
            do cpu = (cpu + 1) % CPU_SETSIZE;
            while (!CPU_ISSET(cpu, &pool->allowed));
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pthread_attr_setaffinity_np(&attributes, sizeof one, &one);
        }
        // A machine that gives no more threads computes with those it gave.
        worker_t *self = malloc(sizeof *self);
        if (self) *self = (worker_t){.pool = pool, .thread = pool->threads};
        if (self && pthread_create(&pool->shares[pool->threads].thread, &attributes, worker, self) == 0)
            pool->threads++;
        else
            free(self);
        pthread_attr_destroy(&attributes);
    }
    return pool;
}

// A sleeping worker that the kernel queues behind the caller, who never sleeps, waits for milliseconds: it may run
// anywhere but there.
static void keep_off(ck_pool *pool, int cpu) {
    cpu_set_t others = pool->allowed;
    if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &others)) return;
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) == 0) return;
    for (int32_t i = 1; i < pool->threads; i++) pthread_setaffinity_np(pool->shares[i].thread, sizeof others, &others);
    pool->avoided = cpu;
}

static void wake(ck_pool *pool, int64_t count) {
    int cpu = sched_getcpu();
    if (!pool->pinned && cpu != pool->avoided) keep_off(pool, cpu);
    syscall(SYS_futex, &pool->generation, FUTEX_WAKE_PRIVATE, count < INT32_MAX ? (int)count : INT32_MAX, NULL, NULL,
            0);
}

void ck_pool_run(ck_pool *pool, int64_t tasks, void (*task)(void *, int64_t), void *context) {
    // A nested run, or one beside another thread's, does its tasks itself.
    if (tasks <= 1 || pool->threads == 1 || pthread_mutex_trylock(&pool->running) != 0) {
        for (int64_t i = 0; i < tasks; i++) task(context, i);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->tasks = tasks;
    for (int32_t i = 0; i < pool->threads; i++)
        atomic_store_explicit(&pool->shares[i].next, first_task(pool, i), memory_order_relaxed);
    atomic_store_explicit(&pool->left, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->state, OPEN, memory_order_release);
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) > 0) wake(pool, tasks - 1);
    work(pool, 0);
    unsigned joined = atomic_fetch_and_explicit(&pool->state, ~(unsigned)OPEN, memory_order_acq_rel) / JOINED;
    for (int spin = 0; atomic_load_explicit(&pool->left, memory_order_acquire) != joined; spin++)
        if (spin < SPINS)
            relax();
        else
            sched_yield();
    pthread_mutex_unlock(&pool->running);
}
