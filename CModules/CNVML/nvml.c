#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "CNVML.h"

// The library's binary interface, which NVIDIA keeps: names with their versions, layouts, values.
typedef void *device_t;
enum {
    OK = 0,
    NO_PERMISSION = 4,
    IS_LOST = 15,
    CORRECTED = 0,
    UNCORRECTED = 1,
    SINCE_LOADED = 0,
    CORE_TEMPERATURE = 0,
    SM_CLOCK = 1
};
enum { POWER_CAP = 0x4, SOFTWARE_HEAT = 0x20, HARDWARE_HEAT = 0x40, POWER_BRAKE = 0x80 };
static const unsigned long long CRITICAL_ERROR = 0x8;

typedef struct {
    char legacy_address[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char address[32];
} pci_t;
typedef struct {
    unsigned long long total, free, used;
} memory_t;
typedef struct {
    unsigned gpu, memory;  // percent
} use_t;
typedef struct {
    device_t device;
    unsigned long long kind, data;
    unsigned gpu_instance, compute_instance;
} event_t;

static struct {
    int (*init)(void);
    int (*count)(unsigned *);
    int (*handle)(unsigned, device_t *);
    const char *(*error)(int);
    int (*driver)(char *, unsigned);
    int (*name)(device_t, char *, unsigned), (*uuid)(device_t, char *, unsigned);
    int (*minor)(device_t, unsigned *), (*pci)(device_t, pci_t *);
    int (*memory)(device_t, memory_t *), (*use)(device_t, use_t *);
    int (*milliwatts)(device_t, unsigned *), (*millijoules)(device_t, unsigned long long *);
    int (*temperature)(device_t, int, unsigned *), (*clock)(device_t, int, unsigned *);
    int (*errors)(device_t, int, int, unsigned long long *), (*throttled)(device_t, unsigned long long *);
    int (*new_events)(void **), (*register_events)(device_t, unsigned long long, void *);
    int (*wait)(void *, event_t *, unsigned);
} nvml;

enum { MOST = 64 };
static device_t devices[MOST];
static unsigned device_count, unreachable_count;
static void *events;
static bool is_listening;
static char problem[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool bind(void *library) {
    const struct {
        void *place;
        const char *name;
        bool is_needed;
    } functions[] = {
        {&nvml.init, "nvmlInit_v2", true},
        {&nvml.count, "nvmlDeviceGetCount_v2", true},
        {&nvml.handle, "nvmlDeviceGetHandleByIndex_v2", true},
        {&nvml.error, "nvmlErrorString", true},
        {&nvml.driver, "nvmlSystemGetDriverVersion", false},
        {&nvml.name, "nvmlDeviceGetName", false},
        {&nvml.uuid, "nvmlDeviceGetUUID", false},
        {&nvml.minor, "nvmlDeviceGetMinorNumber", false},
        {&nvml.pci, "nvmlDeviceGetPciInfo_v3", false},
        {&nvml.memory, "nvmlDeviceGetMemoryInfo", false},
        {&nvml.use, "nvmlDeviceGetUtilizationRates", false},
        {&nvml.milliwatts, "nvmlDeviceGetPowerUsage", false},
        {&nvml.millijoules, "nvmlDeviceGetTotalEnergyConsumption", false},
        {&nvml.temperature, "nvmlDeviceGetTemperature", false},
        {&nvml.clock, "nvmlDeviceGetClockInfo", false},
        {&nvml.errors, "nvmlDeviceGetTotalEccErrors", false},
        {&nvml.throttled, "nvmlDeviceGetCurrentClocksThrottleReasons", false},
        {&nvml.new_events, "nvmlEventSetCreate", false},
        {&nvml.register_events, "nvmlDeviceRegisterEvents", false},
        {&nvml.wait, "nvmlEventSetWait_v2", false},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        memcpy(functions[i].place, &function, sizeof function);
        if (!function && functions[i].is_needed) {
            snprintf(problem, sizeof problem, "libnvidia-ml.so.1 has no %s", functions[i].name);
            return false;
        }
    }
    return true;
}

// Once, for the process that waits.
static void listen_for_errors(void) {
    if (is_listening) return;
    is_listening = true;
    if (!nvml.new_events || !nvml.register_events || !nvml.wait || nvml.new_events(&events) != OK) events = NULL;
    bool is_any = false;
    for (unsigned i = 0; events && i < device_count; i++) {
        is_any |= nvml.register_events(devices[i], CRITICAL_ERROR, events) == OK;
    }
    if (!is_any) events = NULL;
}

static void load(void) {
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *text = dlerror();
        snprintf(problem, sizeof problem, "%s", text ? text : "libnvidia-ml.so.1 cannot be opened");
        return;
    }
    if (!bind(library)) return;
    int status = nvml.init();
    unsigned count = 0;
    if (status == OK) status = nvml.count(&count);
    if (status != OK) {
        snprintf(problem, sizeof problem, "NVML: %s", nvml.error(status));
        return;
    }
    for (unsigned i = 0; i < count && device_count < MOST; i++) {
        status = nvml.handle(i, &devices[device_count]);
        // Those that this process may not use are counted, too.
        if (status == OK) {
            device_count++;
        } else if (status != NO_PERMISSION) {
            unreachable_count++;
        }
    }
}

const char *cnvml_problem(void) {
    pthread_once(&once, load);
    return problem[0] ? problem : NULL;
}

uint32_t cnvml_count(void) { return device_count; }

uint32_t cnvml_unreachable_count(void) { return unreachable_count; }

void cnvml_describe(uint32_t index, cnvml_gpu *gpu) {
    memset(gpu, 0, sizeof *gpu);
    if (index >= device_count) return;
    device_t device = devices[index];
    unsigned minor;
    pci_t pci;
    gpu->minor = nvml.minor && nvml.minor(device, &minor) == OK ? minor : index;
    if (nvml.name) nvml.name(device, gpu->name, sizeof gpu->name);
    if (nvml.uuid) nvml.uuid(device, gpu->uuid, sizeof gpu->uuid);
    if (nvml.driver) nvml.driver(gpu->driver, sizeof gpu->driver);
    if (nvml.pci && nvml.pci(device, &pci) == OK) {
        snprintf(gpu->address, sizeof gpu->address, "%04x:%02x:%02x.0", pci.domain & 0xffff, pci.bus & 0xff,
                 pci.device & 0xff);
    }
}

double cnvml_joules(uint32_t index) {
    unsigned long long count;
    bool is_said = index < device_count && nvml.millijoules && nvml.millijoules(devices[index], &count) == OK;
    return is_said ? count / 1e3 : NAN;
}

void cnvml_read(uint32_t index, cnvml_reading *r) {
    *r = (cnvml_reading){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, false};
    if (index >= device_count) return;
    device_t device = devices[index];
    memory_t memory;
    use_t use;
    unsigned number;
    unsigned long long count;
    int status = nvml.memory ? nvml.memory(device, &memory) : OK;
    r->is_lost = status == IS_LOST;
    if (nvml.memory && status == OK) {
        r->memory_bytes = memory.total;
        r->memory_used_bytes = memory.used;
    }
    if (nvml.use && nvml.use(device, &use) == OK) r->busy_ratio = use.gpu / 100.0;
    if (nvml.clock && nvml.clock(device, SM_CLOCK, &number) == OK) r->clock_hertz = number * 1e6;
    if (nvml.milliwatts && nvml.milliwatts(device, &number) == OK) r->watts = number / 1e3;
    r->joules = cnvml_joules(index);
    if (nvml.temperature && nvml.temperature(device, CORE_TEMPERATURE, &number) == OK) r->celsius = number;
    if (nvml.errors && nvml.errors(device, CORRECTED, SINCE_LOADED, &count) == OK) r->corrected_errors = count;
    if (nvml.errors && nvml.errors(device, UNCORRECTED, SINCE_LOADED, &count) == OK) r->uncorrected_errors = count;
    if (nvml.throttled && nvml.throttled(device, &count) == OK) {
        r->throttled_by_heat = (count & (SOFTWARE_HEAT | HARDWARE_HEAT)) != 0;
        r->throttled_by_power = (count & (POWER_CAP | POWER_BRAKE)) != 0;
    }
}

bool cnvml_wait_for_error(uint32_t milliseconds, uint32_t *index, uint64_t *xid) {
    listen_for_errors();
    if (!events) {
        nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000L}, NULL);
        return false;
    }
    event_t event;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (nvml.wait(events, &event, milliseconds) == OK) {
        for (unsigned i = 0; i < device_count; i++) {
            if (devices[i] != event.device) continue;
            *index = i;
            *xid = event.data;
            return event.kind == CRITICAL_ERROR;
        }
    }
    // A driver that fails at once must not make its caller spin.
    clock_gettime(CLOCK_MONOTONIC, &after);
    long left = milliseconds - (after.tv_sec - before.tv_sec) * 1000 - (after.tv_nsec - before.tv_nsec) / 1000000;
    if (left > 0) nanosleep(&(struct timespec){left / 1000, left % 1000 * 1000000L}, NULL);
    return false;
}
