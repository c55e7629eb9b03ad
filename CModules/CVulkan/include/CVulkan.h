// Vulkan 1.3 compute as flat C: the few calls that need pNext chains or arrays of structs, and nothing else.
// The loader is opened at run time (volk): a machine without libvulkan gives VK_ERROR_INITIALIZATION_FAILED, no crash.
#pragma once

#define VK_NO_PROTOTYPES
#include <stdbool.h>
#include <stdint.h>
#include <volk.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- instance ------------------------------------------------------------------------------------------------------

typedef void (*cvk_message_handler)(const char *message, bool is_error);

// Validation layers to switch on; all false in production.
typedef struct cvk_validation {
    bool core, synchronization, gpu_assisted;
} cvk_validation;

// Opens the loader and creates a 1.3 instance. `handler` gets every warning and error of the layers.
VkResult cvk_create_instance(cvk_validation validation, cvk_message_handler handler, VkInstance *instance);
bool cvk_has_layer(const char *name);

// ---- physical devices ----------------------------------------------------------------------------------------------

typedef struct cvk_features {
    bool timeline_semaphore, synchronization2, subgroup_arithmetic;  // required by Hearth
    bool push_descriptor;
    bool float16, int8, int16, storage_16bit, storage_8bit, int64;
    bool memory_budget, subgroup_size_control, bfloat16, subgroup_shuffle;
    bool integer_dot;   // dot products of packed bytes
    bool memory_model;  // Vulkan's, device scope included
    bool cooperative_matrix, pipeline_executable_properties;
    bool cooperative_matrix2;           // reductions, conversions and functions of elements, at subgroup scope
    bool cooperative_matrix_workgroup;  // matrices of a workgroup, of flexible dimensions, loaded by tensor layouts
} cvk_features;

typedef struct cvk_device_info {
    char name[256], driver_name[256], driver_info[256];
    uint32_t api_version, driver_version, vendor_id, device_id;
    uint32_t device_type;  // VkPhysicalDeviceType
    uint8_t device_uuid[16], driver_uuid[16];
    uint32_t subgroup_size, max_workgroup_invocations, max_shared_byte_count;
    uint32_t max_workgroup_count[3];
    uint64_t max_storage_range, storage_offset_alignment, max_allocation_count;
    float timestamp_period_nanoseconds;
    uint32_t timestamp_valid_bits;
    uint32_t compute_family;  // UINT32_MAX: none
    uint64_t device_local_byte_count;
    cvk_features features;
} cvk_device_info;

VkResult cvk_enumerate(VkInstance instance, VkPhysicalDevice *devices, uint32_t *count);
void cvk_describe(VkPhysicalDevice device, cvk_device_info *info);
// Free and used bytes of the device-local heaps (VK_EXT_memory_budget); false where the driver does not say.
bool cvk_memory_budget(VkPhysicalDevice device, uint64_t *budget, uint64_t *usage);

typedef struct cvk_matrix_shape {
    uint32_t m, n, k;
    uint32_t a_type, b_type, c_type, result_type;  // VkComponentTypeKHR
    uint32_t scope;                                // VkScopeKHR
} cvk_matrix_shape;

// Cooperative-matrix shapes of the device; the count written is 0 where the extension is absent.
VkResult cvk_matrix_shapes(VkInstance instance, VkPhysicalDevice device, cvk_matrix_shape *shapes, uint32_t *count);

// ---- device --------------------------------------------------------------------------------------------------------

typedef struct cvk_device {
    VkPhysicalDevice physical;
    VkDevice handle;
    VkQueue queue;
    VkSemaphore timeline;
    uint32_t family;
    bool push_descriptor;  // else each dispatch takes a descriptor set from its recording's pools
    bool pipeline_executable_properties;
    struct VolkDeviceTable vk;
} cvk_device;

// Enables exactly the features given; each must have been reported by cvk_describe.
VkResult cvk_create_device(VkPhysicalDevice physical, uint32_t family, const cvk_features *enable, cvk_device *device);
void cvk_destroy_device(cvk_device *device);

// ---- memory --------------------------------------------------------------------------------------------------------

typedef struct cvk_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    void *mapped;  // NULL when the host cannot see it
    uint64_t byte_count;
} cvk_buffer;

typedef enum cvk_location {
    CVK_DEVICE,   // fastest for the device; mapped only where that costs nothing
    CVK_READBACK  // host-visible, cached where possible
} cvk_location;

VkResult cvk_create_buffer(const cvk_device *device, uint64_t byte_count, cvk_location location, cvk_buffer *buffer);
void cvk_destroy_buffer(const cvk_device *device, const cvk_buffer *buffer);

// ---- pipelines -----------------------------------------------------------------------------------------------------

typedef struct cvk_pipeline {
    VkShaderModule module;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline handle;
    bool has_statistics;
} cvk_pipeline;

// One compute pipeline: `binding_count` storage buffers pushed per dispatch, one push-constant block,
// `constants[i]` is the value of specialization constant i. `keeps_statistics`: for cvk_pipeline_statistics, where the
// device has them.
VkResult cvk_create_pipeline(const cvk_device *device, VkPipelineCache cache, const uint32_t *spirv, size_t byte_count,
                             uint32_t binding_count, uint32_t push_byte_count, const uint32_t *constants,
                             uint32_t constant_count, bool keeps_statistics, cvk_pipeline *pipeline);
void cvk_destroy_pipeline(const cvk_device *device, const cvk_pipeline *pipeline);

typedef struct cvk_statistic {
    char name[VK_MAX_DESCRIPTION_SIZE];
    uint64_t value;
} cvk_statistic;

// What the driver's compiler says of a pipeline that has statistics, whole numbers only. `count`: how many there is
// room for, then how many were written; VK_INCOMPLETE when there are more.
VkResult cvk_pipeline_statistics(const cvk_device *device, const cvk_pipeline *pipeline, cvk_statistic *statistics,
                                 uint32_t *count);

VkResult cvk_create_pipeline_cache(const cvk_device *device, const void *bytes, size_t byte_count,
                                   VkPipelineCache *cache);
// Two calls: with bytes NULL for the size, then with room.
VkResult cvk_pipeline_cache_data(const cvk_device *device, VkPipelineCache cache, void *bytes, size_t *byte_count);
void cvk_destroy_pipeline_cache(const cvk_device *device, VkPipelineCache cache);

// ---- recording and submission --------------------------------------------------------------------------------------

enum { CVK_MAX_POOLS = 64, CVK_SETS = 256 };

typedef struct cvk_recording {
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkQueryPool timestamps;  // two: begin and end
    // Without push descriptors: pools of CVK_SETS sets, and the sets taken so far.
    VkDescriptorPool pools[CVK_MAX_POOLS];
    uint32_t set_count;
} cvk_recording;

typedef struct cvk_binding {
    VkBuffer buffer;
    uint64_t offset, range;
} cvk_binding;

enum { CVK_MAX_BINDINGS = 8 };

VkResult cvk_create_recording(const cvk_device *device, cvk_recording *recording);
void cvk_destroy_recording(const cvk_device *device, const cvk_recording *recording);
// `once`: it will be submitted a single time.
VkResult cvk_begin(const cvk_device *device, cvk_recording *recording, bool once);
// Fails only without push descriptors, when there are no sets left.
VkResult cvk_dispatch(const cvk_device *device, cvk_recording *recording, const cvk_pipeline *pipeline,
                      const cvk_binding *bindings, uint32_t binding_count, const void *push, uint32_t push_byte_count,
                      uint32_t x, uint32_t y, uint32_t z);
void cvk_copy(const cvk_device *device, const cvk_recording *recording, VkBuffer source, uint64_t source_offset,
              VkBuffer destination, uint64_t destination_offset, uint64_t byte_count);
// Everything before is visible to everything after: compute, transfer and the host's reads.
void cvk_barrier(const cvk_device *device, const cvk_recording *recording);
VkResult cvk_end(const cvk_device *device, const cvk_recording *recording);
// Signals the device's timeline with `value` when done.
VkResult cvk_submit(const cvk_device *device, const cvk_recording *recording, uint64_t value);
VkResult cvk_wait(const cvk_device *device, uint64_t value, uint64_t timeout_nanoseconds);
// Begin and end of the recording in ticks of timestamp_period; only after it has completed.
VkResult cvk_read_timestamps(const cvk_device *device, const cvk_recording *recording, uint64_t ticks[2]);

#ifdef __cplusplus
}
#endif
