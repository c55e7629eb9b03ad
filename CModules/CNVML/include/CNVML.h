// What NVIDIA's management library (libnvidia-ml, NVML) says of its GPUs, opened at run time: a machine without it has
// a problem to tell and no crash. Any call here can hang as long as the driver does: call them where that may be.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// NULL when the library and its driver answer; else why not, as they say it.
const char *cnvml_problem(void);

typedef struct cnvml_gpu {
    uint32_t minor;    // N of /dev/nvidiaN
    char address[16];  // as the kernel writes it: 0000:01:00.0
    char name[96], uuid[96], driver[80];
} cnvml_gpu;

// cnvml_problem() must be NULL for what follows.
uint32_t cnvml_count(void);
// GPUs that their driver counts and cannot reach.
uint32_t cnvml_unreachable_count(void);
void cnvml_describe(uint32_t index, cnvml_gpu *gpu);

// Each is NAN where the driver does not say.
typedef struct cnvml_reading {
    double memory_bytes, memory_used_bytes, busy_ratio, clock_hertz;
    double watts, joules;  // joules since the driver was loaded
    double celsius;
    double corrected_errors, uncorrected_errors;   // of memory, since the driver was loaded
    double throttled_by_power, throttled_by_heat;  // 1 or 0, now
    bool is_lost;                                  // off its bus, says the driver
} cnvml_reading;

void cnvml_read(uint32_t index, cnvml_reading *reading);
// Joules since the driver was loaded, alone.
double cnvml_joules(uint32_t index);

// Waits for a critical error (XID) of any GPU. False where none came in time, or where the driver does not tell them:
// then it has waited all the same.
bool cnvml_wait_for_error(uint32_t milliseconds, uint32_t *index, uint64_t *xid);
