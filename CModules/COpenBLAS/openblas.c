#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "COpenBLAS.h"

// The values and signature of the CBLAS interface.
enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
typedef void sgemm_t(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);

static sgemm_t *sgemm;
static char problem[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    // Read by the library as it starts: Hearth's tasks are the parallelism.
    setenv("OPENBLAS_NUM_THREADS", "1", 0);
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library) sgemm = (sgemm_t *)dlsym(library, "cblas_sgemm");
    void (*set_threads)(int) = library ? (void (*)(int))dlsym(library, "openblas_set_num_threads") : NULL;
    if (set_threads) set_threads(1);
    if (!sgemm) {
        const char *text = dlerror();
        strncpy(problem, text ? text : "libopenblas.so.0 has no cblas_sgemm", sizeof problem - 1);
    }
}

const char *cob_problem(void) {
    pthread_once(&once, load);
    return sgemm ? NULL : problem;
}

void cob_sgemm(const cob_sgemm_t *g) {
    sgemm(ROW_MAJOR, g->a_is_transposed ? TRANSPOSED : PLAIN, g->b_is_transposed ? TRANSPOSED : PLAIN, g->m, g->n, g->k,
          1, g->a, g->lda, g->b, g->ldb, 0, g->c, g->ldc);
}
