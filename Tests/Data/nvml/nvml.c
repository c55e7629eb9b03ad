// A libnvidia-ml.so.1 of two GPUs, by NVIDIA's documented interface: one that says everything, one that says little.
// What happens to the first is told by files in the folder FAKE_NVML: `xid` (a number: an error, once), `hang` (it
// answers no more), `lost` (it is off its bus), `no-driver`; to the second by `no-permission` and `unreachable`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, NOT_SUPPORTED = 3, TIMEOUT = 10 };
typedef struct gpu *device_t;
struct gpu {
    unsigned index;
} gpus[2] = {{0}, {1}};

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char address[32];
} pci_t;
typedef struct {
    device_t device;
    unsigned long long kind, data;
    unsigned gpu_instance, compute_instance;
} event_t;

static const char *file(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("FAKE_NVML") ? getenv("FAKE_NVML") : "/nowhere", name);
    return path;
}

int nvmlInit_v2(void) { return access(file("no-driver"), F_OK) == 0 ? 9 : OK; }
const char *nvmlErrorString(int status) { return status == 9 ? "Driver Not Loaded" : "Another Error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { return snprintf(text, size, "580.95.05"), OK; }
int nvmlDeviceGetCount_v2(unsigned *count) { return *count = 2, OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t *device) {
    *device = &gpus[index];
    if (index == 1 && access(file("no-permission"), F_OK) == 0) return 4;
    return index == 1 && access(file("unreachable"), F_OK) == 0 ? 15 : OK;
}
int nvmlDeviceGetName(device_t d, char *text, unsigned size) { return snprintf(text, size, "Test \"GPU\""), OK; }
int nvmlDeviceGetUUID(device_t d, char *text, unsigned size) { return snprintf(text, size, "GPU-%u", d->index), OK; }
int nvmlDeviceGetMinorNumber(device_t d, unsigned *minor) { return *minor = d->index ? 5 : 0, OK; }

int nvmlDeviceGetPciInfo_v3(device_t d, pci_t *pci) {
    memset(pci, 0, sizeof *pci);
    pci->bus = 0x1a + d->index;
    return OK;
}

int nvmlDeviceGetMemoryInfo(device_t d, unsigned long long memory[3]) {
    while (access(file("hang"), F_OK) == 0) pause();
    if (!d->index && access(file("lost"), F_OK) == 0) return 15;
    memory[0] = 150ull << 30, memory[1] = 100ull << 30, memory[2] = 50ull << 30;
    return OK;
}

int nvmlDeviceGetUtilizationRates(device_t d, unsigned use[2]) {
    return use[0] = 75, use[1] = 10, d->index ? NOT_SUPPORTED : OK;
}
int nvmlDeviceGetPowerUsage(device_t d, unsigned *milliwatts) {
    return *milliwatts = 412500, d->index ? NOT_SUPPORTED : OK;
}
int nvmlDeviceGetTemperature(device_t d, int sensor, unsigned *celsius) { return *celsius = 61, sensor; }
int nvmlDeviceGetClockInfo(device_t d, int clock, unsigned *megahertz) {
    return *megahertz = 1980, clock == 1 ? OK : NOT_SUPPORTED;
}

int nvmlDeviceGetTotalEnergyConsumption(device_t d, unsigned long long *millijoules) {
    static unsigned long long used = 1000000;
    *millijoules = used += 2500;
    return d->index ? NOT_SUPPORTED : OK;
}

int nvmlDeviceGetTotalEccErrors(device_t d, int kind, int counter, unsigned long long *count) {
    *count = kind == 0 ? 7 : 1;
    return d->index || counter != 0 ? NOT_SUPPORTED : OK;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(device_t d, unsigned long long *reasons) {
    *reasons = 0x4 | 0x1;
    return d->index ? NOT_SUPPORTED : OK;
}

int nvmlEventSetCreate(void **set) { return *set = gpus, OK; }
int nvmlDeviceRegisterEvents(device_t d, unsigned long long kinds, void *set) { return d->index ? NOT_SUPPORTED : OK; }

int nvmlEventSetWait_v2(void *set, event_t *event, unsigned milliseconds) {
    for (unsigned waited = 0; waited < milliseconds; waited += 20) {
        FILE *xid = fopen(file("xid"), "r");
        if (xid) {
            *event = (event_t){&gpus[0], 0x8, 0, ~0u, ~0u};
            int found = fscanf(xid, "%llu", &event->data);
            fclose(xid);
            if (found == 1 && unlink(file("xid")) == 0) return OK;
        }
        usleep(20000);
    }
    return TIMEOUT;
}
