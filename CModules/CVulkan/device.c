#include "CVulkan.h"
#include "newer_extensions.h"

VkResult cvk_create_device(VkPhysicalDevice physical, uint32_t family, const cvk_features *enable, cvk_device *device) {
    *device = (cvk_device){.physical = physical,
                           .family = family,
                           .push_descriptor = enable->push_descriptor,
                           .pipeline_executable_properties = enable->pipeline_executable_properties};
    const char *names[8];
    uint32_t count = 0;
    if (enable->push_descriptor) names[count++] = VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME;
    if (enable->memory_budget) names[count++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;

    void *newer = NULL;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR, .cooperativeMatrix = VK_TRUE};
    if (enable->cooperative_matrix) {
        names[count++] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME;
        newer = &matrix;
    }
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV matrix2 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV,
        .pNext = newer,
        .cooperativeMatrixWorkgroupScope = enable->cooperative_matrix_workgroup,
        .cooperativeMatrixFlexibleDimensions = enable->cooperative_matrix_workgroup,
        .cooperativeMatrixReductions = VK_TRUE,
        .cooperativeMatrixConversions = VK_TRUE,
        .cooperativeMatrixPerElementOperations = VK_TRUE,
        .cooperativeMatrixTensorAddressing = enable->cooperative_matrix_workgroup};
    if (enable->cooperative_matrix2) {
        names[count++] = VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME;
        newer = &matrix2;
    }
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR,
        .pNext = newer,
        .shaderBFloat16Type = VK_TRUE,
        .shaderBFloat16CooperativeMatrix = VK_TRUE};
    if (enable->bfloat16) {
        names[count++] = VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME;
        newer = &bfloat16;
    }

    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pNext = newer,
        .pipelineExecutableInfo = VK_TRUE};
    if (enable->pipeline_executable_properties) {
        names[count++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
        newer = &statistics;
    }

    VkPhysicalDeviceVulkan13Features v13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                            .pNext = newer,
                                            .synchronization2 = enable->synchronization2,
                                            .shaderIntegerDotProduct = enable->integer_dot,
                                            .subgroupSizeControl = enable->subgroup_size_control};
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                            .pNext = &v13,
                                            .timelineSemaphore = enable->timeline_semaphore,
                                            .shaderFloat16 = enable->float16,
                                            .shaderInt8 = enable->int8,
                                            .vulkanMemoryModel = enable->memory_model,
                                            .vulkanMemoryModelDeviceScope = enable->memory_model,
                                            .storageBuffer8BitAccess = enable->storage_8bit};
    VkPhysicalDeviceVulkan11Features v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                            .pNext = &v12,
                                            .storageBuffer16BitAccess = enable->storage_16bit,
                                            .uniformAndStorageBuffer16BitAccess = enable->storage_16bit};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &v11,
                                          .features = {.shaderInt64 = enable->int64, .shaderInt16 = enable->int16}};
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &features,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = count,
                               .ppEnabledExtensionNames = names};
    VkResult result = vkCreateDevice(physical, &info, NULL, &device->handle);
    if (result != VK_SUCCESS) return result;
    volkLoadDeviceTable(&device->vk, device->handle);
    device->vk.vkGetDeviceQueue(device->handle, family, 0, &device->queue);

    VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                      .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
    result = device->vk.vkCreateSemaphore(device->handle, &semaphore, NULL, &device->timeline);
    if (result != VK_SUCCESS) {
        device->vk.vkDestroyDevice(device->handle, NULL);
        device->handle = VK_NULL_HANDLE;
    }
    return result;
}

void cvk_destroy_device(cvk_device *device) {
    if (!device->handle) return;
    device->vk.vkDeviceWaitIdle(device->handle);
    device->vk.vkDestroySemaphore(device->handle, device->timeline, NULL);
    device->vk.vkDestroyDevice(device->handle, NULL);
    device->handle = VK_NULL_HANDLE;
}
