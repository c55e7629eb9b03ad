#include "level.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static ck_level_t machine_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
        return CK_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CK_AVX2;
#endif
    return CK_PORTABLE;
}

static const char *const names[] = {"portable", "avx2", "avx512"};

static int known = -1;

ck_level_t ck_level(void) {
    int level = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (level >= 0) return (ck_level_t)level;
    level = machine_level();
    const char *asked = getenv("HEARTH_CPU_LEVEL");
    for (int i = 0; asked && i < level; i++)
        if (!strcmp(asked, names[i])) level = i;
    __atomic_store_n(&known, level, __ATOMIC_RELAXED);
    return (ck_level_t)level;
}

bool ck_level_force(const char *name) {
    for (int i = 0; i <= (int)machine_level(); i++)
        if (!strcmp(name, names[i])) {
            __atomic_store_n(&known, i, __ATOMIC_RELAXED);
            return true;
        }
    return false;
}

int32_t ck_level_index(void) { return (int32_t)ck_level(); }

const char *ck_level_name(void) { return names[ck_level()]; }

const char *ck_level_features(void) {
    static char text[64];
    if (text[0]) return text;
    char found[64] = "";
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) strcat(found, "avx2 ");
    if (__builtin_cpu_supports("fma")) strcat(found, "fma ");
    if (__builtin_cpu_supports("avx512f")) strcat(found, "avx512f ");
    if (__builtin_cpu_supports("avx512vnni")) strcat(found, "avx512-vnni ");
    if (__builtin_cpu_supports("avx512bf16")) strcat(found, "avx512-bf16 ");
#elif defined(__aarch64__)
    strcat(found, "neon ");
#endif
    memcpy(text, found, sizeof text);
    return text;
}

void ck_advise_huge_pages(void *memory, int64_t byte_count) {
    if (byte_count >= 1 << 21) madvise(memory, (size_t)byte_count, MADV_HUGEPAGE);
}

int64_t ck_cache_bytes(int32_t level) {
    long bytes = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? bytes : level == 1 ? 32 << 10 : 512 << 10;
}
