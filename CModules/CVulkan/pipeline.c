#include "CVulkan.h"

#include <string.h>

static VkResult create_layouts(const cvk_device *device, uint32_t binding_count, uint32_t push_byte_count,
                               cvk_pipeline *pipeline) {
    VkDescriptorSetLayoutBinding bindings[CVK_MAX_BINDINGS];
    for (uint32_t i = 0; i < binding_count; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                     .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                     .descriptorCount = 1,
                                                     .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .flags = device->push_descriptor ? VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR : 0,
        .bindingCount = binding_count,
        .pBindings = bindings};
    VkResult result = device->vk.vkCreateDescriptorSetLayout(device->handle, &set, NULL, &pipeline->set_layout);
    if (result != VK_SUCCESS) return result;
    VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = push_byte_count};
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &pipeline->set_layout,
                                         .pushConstantRangeCount = push_byte_count ? 1 : 0,
                                         .pPushConstantRanges = &range};
    return device->vk.vkCreatePipelineLayout(device->handle, &layout, NULL, &pipeline->layout);
}

VkResult cvk_create_pipeline(const cvk_device *device, VkPipelineCache cache, const uint32_t *spirv, size_t byte_count,
                             uint32_t binding_count, uint32_t push_byte_count, const uint32_t *constants,
                             uint32_t constant_count, bool keeps_statistics, cvk_pipeline *pipeline) {
    enum { MAX_CONSTANTS = 16 };
    *pipeline = (cvk_pipeline){0};
    if (binding_count > CVK_MAX_BINDINGS || constant_count > MAX_CONSTANTS) return VK_ERROR_TOO_MANY_OBJECTS;
    VkShaderModuleCreateInfo module = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = byte_count, .pCode = spirv};
    VkResult result = device->vk.vkCreateShaderModule(device->handle, &module, NULL, &pipeline->module);
    if (result == VK_SUCCESS) result = create_layouts(device, binding_count, push_byte_count, pipeline);

    VkSpecializationMapEntry entries[MAX_CONSTANTS];
    for (uint32_t i = 0; i < constant_count; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = 4 * i, .size = 4};
    VkSpecializationInfo specialization = {
        .mapEntryCount = constant_count, .pMapEntries = entries, .dataSize = 4 * constant_count, .pData = constants};
    const bool captures = keeps_statistics && device->has_statistics;
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                        .flags = captures ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0,
                                        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                  .module = pipeline->module,
                                                  .pName = "main",
                                                  .pSpecializationInfo = &specialization},
                                        .layout = pipeline->layout};
    if (result == VK_SUCCESS)
        result = device->vk.vkCreateComputePipelines(device->handle, cache, 1, &info, NULL, &pipeline->handle);
    if (result != VK_SUCCESS) cvk_destroy_pipeline(device, pipeline);
    return result;
}

void cvk_destroy_pipeline(const cvk_device *device, const cvk_pipeline *pipeline) {
    device->vk.vkDestroyPipeline(device->handle, pipeline->handle, NULL);
    device->vk.vkDestroyPipelineLayout(device->handle, pipeline->layout, NULL);
    device->vk.vkDestroyDescriptorSetLayout(device->handle, pipeline->set_layout, NULL);
    device->vk.vkDestroyShaderModule(device->handle, pipeline->module, NULL);
}

uint32_t cvk_pipeline_statistics(const cvk_device *device, const cvk_pipeline *pipeline, cvk_statistic *statistics,
                                 uint32_t capacity) {
    if (!device->has_statistics) return 0;
    enum { MAX_EXECUTABLES = 8, MAX_STATISTICS = 64 };
    VkPipelineInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline->handle};
    VkPipelineExecutablePropertiesKHR executables[MAX_EXECUTABLES];
    for (uint32_t i = 0; i < MAX_EXECUTABLES; i++)
        executables[i] =
            (VkPipelineExecutablePropertiesKHR){.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
    uint32_t executable_count = MAX_EXECUTABLES, written = 0;
    if (device->vk.vkGetPipelineExecutablePropertiesKHR(device->handle, &info, &executable_count, executables) < 0)
        return 0;
    for (uint32_t e = 0; e < executable_count; e++) {
        VkPipelineExecutableInfoKHR which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                             .pipeline = pipeline->handle,
                                             .executableIndex = e};
        VkPipelineExecutableStatisticKHR found[MAX_STATISTICS];
        for (uint32_t i = 0; i < MAX_STATISTICS; i++)
            found[i] = (VkPipelineExecutableStatisticKHR){.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
        uint32_t count = MAX_STATISTICS;
        if (device->vk.vkGetPipelineExecutableStatisticsKHR(device->handle, &which, &count, found) < 0) continue;
        for (uint32_t i = 0; i < count && written < capacity; i++) {
            if (found[i].format != VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR &&
                found[i].format != VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR)
                continue;
            statistics[written].value = found[i].value.u64;
            memcpy(statistics[written++].name, found[i].name, VK_MAX_DESCRIPTION_SIZE);
        }
    }
    return written;
}

VkResult cvk_create_pipeline_cache(const cvk_device *device, const void *bytes, size_t byte_count,
                                   VkPipelineCache *cache) {
    VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = byte_count, .pInitialData = bytes};
    return device->vk.vkCreatePipelineCache(device->handle, &info, NULL, cache);
}

VkResult cvk_pipeline_cache_data(const cvk_device *device, VkPipelineCache cache, void *bytes, size_t *byte_count) {
    return device->vk.vkGetPipelineCacheData(device->handle, cache, byte_count, bytes);
}

void cvk_destroy_pipeline_cache(const cvk_device *device, VkPipelineCache cache) {
    device->vk.vkDestroyPipelineCache(device->handle, cache, NULL);
}
