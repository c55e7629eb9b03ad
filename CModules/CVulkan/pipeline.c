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
    pipeline->has_statistics = keeps_statistics && device->pipeline_executable_properties;
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = pipeline->has_statistics ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0,
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

VkResult cvk_pipeline_statistics(const cvk_device *device, const cvk_pipeline *pipeline, cvk_statistic *statistics,
                                 uint32_t *count) {
    enum { MAX_STATISTICS = 64 };
    const uint32_t room = *count;
    *count = 0;
    if (!pipeline->has_statistics) return VK_SUCCESS;
    VkPipelineInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline->handle};
    uint32_t executables = 0;
    VkResult result = device->vk.vkGetPipelineExecutablePropertiesKHR(device->handle, &info, &executables, NULL);
    for (uint32_t e = 0; result == VK_SUCCESS && e < executables; e++) {
        VkPipelineExecutableInfoKHR which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                             .pipeline = pipeline->handle,
                                             .executableIndex = e};
        VkPipelineExecutableStatisticKHR found[MAX_STATISTICS];
        for (uint32_t i = 0; i < MAX_STATISTICS; i++)
            found[i] = (VkPipelineExecutableStatisticKHR){.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
        uint32_t written = MAX_STATISTICS;
        result = device->vk.vkGetPipelineExecutableStatisticsKHR(device->handle, &which, &written, found);
        for (uint32_t i = 0; result == VK_SUCCESS && i < written; i++) {
            const bool is_signed = found[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR;
            if (!is_signed && found[i].format != VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR) continue;
            if (*count == room) return VK_INCOMPLETE;
            statistics[*count].value = is_signed && found[i].value.i64 < 0 ? 0 : found[i].value.u64;
            memcpy(statistics[(*count)++].name, found[i].name, VK_MAX_DESCRIPTION_SIZE);
        }
    }
    return result;
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
