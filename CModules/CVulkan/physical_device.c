#include <string.h>

#include "CVulkan.h"
#include "newer_extensions.h"

enum { MAX_EXTENSIONS = 512 };

typedef struct extensions {
    uint32_t count;
    VkExtensionProperties list[MAX_EXTENSIONS];
} extensions;

static void read_extensions(VkPhysicalDevice device, extensions *found) {
    found->count = MAX_EXTENSIONS;
    if (vkEnumerateDeviceExtensionProperties(device, NULL, &found->count, found->list) < 0) found->count = 0;
}

static bool has(const extensions *found, const char *name) {
    for (uint32_t i = 0; i < found->count; i++)
        if (!strcmp(found->list[i].extensionName, name)) return true;
    return false;
}

VkResult cvk_enumerate(VkInstance instance, VkPhysicalDevice *devices, uint32_t *count) {
    return vkEnumeratePhysicalDevices(instance, count, devices);
}

// Whether matrices of a workgroup of 256 invocations may have 128 rows and columns, as those of Hearth's shaders do.
static bool holds_workgroup_matrices(VkPhysicalDevice device) {
    VkPhysicalDeviceCooperativeMatrix2PropertiesNV limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_PROPERTIES_NV};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &limits};
    vkGetPhysicalDeviceProperties2(device, &properties);
    return limits.cooperativeMatrixWorkgroupScopeMaxWorkgroupSize >= 256 &&
           limits.cooperativeMatrixFlexibleDimensionsMaxDimension >= 128;
}

static void describe_features(VkPhysicalDevice device, cvk_features *out) {
    extensions found;
    read_extensions(device, &found);
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    VkPhysicalDeviceVulkan13Features v13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                            .pNext = &v13};
    VkPhysicalDeviceVulkan11Features v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                            .pNext = &v12};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &v11};
    bool has_matrix = has(&found, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV matrix2 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV};
    if (has_matrix) v13.pNext = &matrix;
    if (has_matrix && has(&found, VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME)) matrix.pNext = &matrix2;
    if (has(&found, VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME)) {
        bfloat16.pNext = v13.pNext;
        v13.pNext = &bfloat16;
    }
    vkGetPhysicalDeviceFeatures2(device, &features);
    bool has_matrix2 = matrix.cooperativeMatrix && matrix2.cooperativeMatrixReductions &&
                       matrix2.cooperativeMatrixConversions && matrix2.cooperativeMatrixPerElementOperations;
    *out = (cvk_features){
        .timeline_semaphore = v12.timelineSemaphore,
        .synchronization2 = v13.synchronization2,
        .push_descriptor = has(&found, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME),
        .float16 = v12.shaderFloat16,
        .int8 = v12.shaderInt8,
        .int16 = features.features.shaderInt16,
        .storage_16bit = v11.storageBuffer16BitAccess && v11.uniformAndStorageBuffer16BitAccess,
        .storage_8bit = v12.storageBuffer8BitAccess,
        .int64 = features.features.shaderInt64,
        .integer_dot = v13.shaderIntegerDotProduct,
        .memory_model = v12.vulkanMemoryModel && v12.vulkanMemoryModelDeviceScope,
        .memory_budget = has(&found, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME),
        .subgroup_size_control = v13.subgroupSizeControl,
        .bfloat16 = bfloat16.shaderBFloat16Type && bfloat16.shaderBFloat16CooperativeMatrix,
        .cooperative_matrix = has_matrix && matrix.cooperativeMatrix,
        .cooperative_matrix2 = has_matrix2,
        .cooperative_matrix_workgroup = has_matrix2 && matrix2.cooperativeMatrixWorkgroupScope &&
                                        matrix2.cooperativeMatrixFlexibleDimensions &&
                                        matrix2.cooperativeMatrixTensorAddressing && holds_workgroup_matrices(device),
        .pipeline_executable_properties = has(&found, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME),
    };
}

static void describe_queue(VkPhysicalDevice device, cvk_device_info *info) {
    VkQueueFamilyProperties families[32];
    uint32_t count = 32;
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families);
    info->compute_family = UINT32_MAX;
    for (uint32_t i = 0; i < count && info->compute_family == UINT32_MAX; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        info->compute_family = i;
        info->timestamp_valid_bits = families[i].timestampValidBits;
    }
}

void cvk_describe(VkPhysicalDevice device, cvk_device_info *info) {
    VkPhysicalDeviceVulkan11Properties v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                                               .pNext = &v11};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &driver};
    vkGetPhysicalDeviceProperties2(device, &properties);
    const VkPhysicalDeviceProperties *p = &properties.properties;

    *info = (cvk_device_info){
        .api_version = p->apiVersion,
        .driver_version = p->driverVersion,
        .vendor_id = p->vendorID,
        .device_id = p->deviceID,
        .device_type = p->deviceType,
        .subgroup_size = v11.subgroupSize,
        .max_workgroup_invocations = p->limits.maxComputeWorkGroupInvocations,
        .max_shared_byte_count = p->limits.maxComputeSharedMemorySize,
        .max_storage_range = p->limits.maxStorageBufferRange,
        .storage_offset_alignment = p->limits.minStorageBufferOffsetAlignment,
        .max_allocation_count = p->limits.maxMemoryAllocationCount,
        .timestamp_period_nanoseconds = p->limits.timestampPeriod,
    };
    memcpy(info->max_workgroup_count, p->limits.maxComputeWorkGroupCount, sizeof info->max_workgroup_count);
    memcpy(info->name, p->deviceName, sizeof info->name);
    memcpy(info->driver_name, driver.driverName, sizeof info->driver_name);
    memcpy(info->driver_info, driver.driverInfo, sizeof info->driver_info);
    memcpy(info->device_uuid, v11.deviceUUID, 16);
    memcpy(info->driver_uuid, v11.driverUUID, 16);
    describe_queue(device, info);
    describe_features(device, &info->features);
    const bool in_compute = v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT;
    const VkSubgroupFeatureFlags operations = in_compute ? v11.subgroupSupportedOperations : 0;
    info->features.subgroup_arithmetic = operations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    info->features.subgroup_shuffle = operations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT;

    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(device, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
            info->device_local_byte_count += memory.memoryHeaps[i].size;
}

bool cvk_memory_budget(VkPhysicalDevice device, uint64_t *budget, uint64_t *usage) {
    extensions found;
    read_extensions(device, &found);
    if (!has(&found, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME)) return false;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT heaps = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                                .pNext = &heaps};
    vkGetPhysicalDeviceMemoryProperties2(device, &memory);
    *budget = *usage = 0;
    for (uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; i++) {
        if (!(memory.memoryProperties.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)) continue;
        *budget += heaps.heapBudget[i];
        *usage += heaps.heapUsage[i];
    }
    return true;
}

VkResult cvk_matrix_shapes(VkInstance instance, VkPhysicalDevice device, cvk_matrix_shape *shapes, uint32_t *count) {
    enum { MAX_SHAPES = 256 };
    uint32_t room = *count;
    *count = 0;
    extensions found;
    read_extensions(device, &found);
    if (!has(&found, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME)) return VK_SUCCESS;
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR query =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)vkGetInstanceProcAddr(
            instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    if (!query) return VK_SUCCESS;
    VkCooperativeMatrixPropertiesKHR list[MAX_SHAPES];
    for (int i = 0; i < MAX_SHAPES; i++)
        list[i] = (VkCooperativeMatrixPropertiesKHR){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    uint32_t total = MAX_SHAPES;
    VkResult result = query(device, &total, list);
    if (result < 0) return result;
    for (uint32_t i = 0; i < total && i < room; i++)
        shapes[(*count)++] = (cvk_matrix_shape){list[i].MSize, list[i].NSize, list[i].KSize,      list[i].AType,
                                                list[i].BType, list[i].CType, list[i].ResultType, list[i].scope};
    return VK_SUCCESS;
}
