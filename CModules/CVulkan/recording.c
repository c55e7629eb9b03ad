#include "CVulkan.h"

VkResult cvk_create_recording(const cvk_device *device, cvk_recording *recording) {
    *recording = (cvk_recording){0};
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                    .queueFamilyIndex = device->family};
    VkResult result = device->vk.vkCreateCommandPool(device->handle, &pool, NULL, &recording->pool);
    if (result == VK_SUCCESS) {
        VkCommandBufferAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                .commandPool = recording->pool,
                                                .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                .commandBufferCount = 1};
        result = device->vk.vkAllocateCommandBuffers(device->handle, &allocate, &recording->commands);
    }
    if (result == VK_SUCCESS) {
        VkQueryPoolCreateInfo queries = {
            .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2};
        result = device->vk.vkCreateQueryPool(device->handle, &queries, NULL, &recording->timestamps);
    }
    if (result != VK_SUCCESS) cvk_destroy_recording(device, recording);
    return result;
}

void cvk_destroy_recording(const cvk_device *device, const cvk_recording *recording) {
    device->vk.vkDestroyQueryPool(device->handle, recording->timestamps, NULL);
    device->vk.vkDestroyCommandPool(device->handle, recording->pool, NULL);
    for (uint32_t i = 0; i < CVK_MAX_POOLS && recording->pools[i]; i++)
        device->vk.vkDestroyDescriptorPool(device->handle, recording->pools[i], NULL);
}

VkResult cvk_begin(const cvk_device *device, cvk_recording *recording, bool once) {
    VkResult result = device->vk.vkResetCommandPool(device->handle, recording->pool, 0);
    if (result != VK_SUCCESS) return result;
    for (uint32_t i = 0; i < CVK_MAX_POOLS && recording->pools[i]; i++)
        device->vk.vkResetDescriptorPool(device->handle, recording->pools[i], 0);
    recording->set_count = 0;
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = once ? VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT : 0};
    result = device->vk.vkBeginCommandBuffer(recording->commands, &begin);
    if (result != VK_SUCCESS) return result;
    device->vk.vkCmdResetQueryPool(recording->commands, recording->timestamps, 0, 2);
    // Work of earlier submissions on this queue is not ordered by submission alone; nor is the clock.
    cvk_barrier(device, recording);
    device->vk.vkCmdWriteTimestamp2(recording->commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, recording->timestamps,
                                    0);
    return VK_SUCCESS;
}

// A fresh set of `layout` from the recording's pools.
static VkResult take_set(const cvk_device *device, cvk_recording *recording, VkDescriptorSetLayout layout,
                         VkDescriptorSet *set) {
    uint32_t at = recording->set_count / CVK_SETS;
    if (at == CVK_MAX_POOLS) return VK_ERROR_TOO_MANY_OBJECTS;
    if (!recording->pools[at]) {
        VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, CVK_SETS * CVK_MAX_BINDINGS};
        VkDescriptorPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                           .maxSets = CVK_SETS,
                                           .poolSizeCount = 1,
                                           .pPoolSizes = &size};
        VkResult result = device->vk.vkCreateDescriptorPool(device->handle, &pool, NULL, &recording->pools[at]);
        if (result != VK_SUCCESS) return result;
    }
    VkDescriptorSetAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                            .descriptorPool = recording->pools[at],
                                            .descriptorSetCount = 1,
                                            .pSetLayouts = &layout};
    VkResult result = device->vk.vkAllocateDescriptorSets(device->handle, &allocate, set);
    if (result == VK_SUCCESS) recording->set_count++;
    return result;
}

VkResult cvk_dispatch(const cvk_device *device, cvk_recording *recording, const cvk_pipeline *pipeline,
                      const cvk_binding *bindings, uint32_t binding_count, const void *push, uint32_t push_byte_count,
                      uint32_t x, uint32_t y, uint32_t z) {
    VkDescriptorBufferInfo buffers[CVK_MAX_BINDINGS];
    VkWriteDescriptorSet writes[CVK_MAX_BINDINGS];
    for (uint32_t i = 0; i < binding_count; i++) {
        buffers[i] = (VkDescriptorBufferInfo){bindings[i].buffer, bindings[i].offset, bindings[i].range};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &buffers[i]};
    }
    VkCommandBuffer commands = recording->commands;
    device->vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->handle);
    if (device->push_descriptor) {
        device->vk.vkCmdPushDescriptorSetKHR(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->layout, 0,
                                             binding_count, writes);
    } else {
        VkDescriptorSet set;
        VkResult result = take_set(device, recording, pipeline->set_layout, &set);
        if (result != VK_SUCCESS) return result;
        for (uint32_t i = 0; i < binding_count; i++) writes[i].dstSet = set;
        device->vk.vkUpdateDescriptorSets(device->handle, binding_count, writes, 0, NULL);
        device->vk.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->layout, 0, 1, &set, 0,
                                           NULL);
    }
    if (push_byte_count)
        device->vk.vkCmdPushConstants(commands, pipeline->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_byte_count,
                                      push);
    device->vk.vkCmdDispatch(commands, x, y, z);
    return VK_SUCCESS;
}

void cvk_copy(const cvk_device *device, const cvk_recording *recording, VkBuffer source, uint64_t source_offset,
              VkBuffer destination, uint64_t destination_offset, uint64_t byte_count) {
    VkBufferCopy region = {source_offset, destination_offset, byte_count};
    device->vk.vkCmdCopyBuffer(recording->commands, source, destination, 1, &region);
}

void cvk_barrier(const cvk_device *device, const cvk_recording *recording) {
    const VkPipelineStageFlags2 work = VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_COPY_BIT;
    const VkAccessFlags2 writes = VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT;
    const VkAccessFlags2 reads = VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_TRANSFER_READ_BIT;
    VkMemoryBarrier2 barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                .srcStageMask = work,
                                .srcAccessMask = writes,
                                .dstStageMask = work,
                                .dstAccessMask = reads | writes};
    VkDependencyInfo dependency = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .memoryBarrierCount = 1, .pMemoryBarriers = &barrier};
    device->vk.vkCmdPipelineBarrier2(recording->commands, &dependency);
}

VkResult cvk_end(const cvk_device *device, const cvk_recording *recording) {
    VkMemoryBarrier2 to_host = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                .srcStageMask = VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_COPY_BIT,
                                .srcAccessMask = VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT,
                                .dstStageMask = VK_PIPELINE_STAGE_2_HOST_BIT,
                                .dstAccessMask = VK_ACCESS_2_HOST_READ_BIT};
    VkDependencyInfo dependency = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .memoryBarrierCount = 1, .pMemoryBarriers = &to_host};
    device->vk.vkCmdPipelineBarrier2(recording->commands, &dependency);
    device->vk.vkCmdWriteTimestamp2(recording->commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, recording->timestamps,
                                    1);
    return device->vk.vkEndCommandBuffer(recording->commands);
}

VkResult cvk_submit(const cvk_device *device, const cvk_recording *recording, uint64_t value) {
    VkCommandBufferSubmitInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                          .commandBuffer = recording->commands};
    VkSemaphoreSubmitInfo signal = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                    .semaphore = device->timeline,
                                    .value = value,
                                    .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT};
    VkSubmitInfo2 submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                            .commandBufferInfoCount = 1,
                            .pCommandBufferInfos = &commands,
                            .signalSemaphoreInfoCount = 1,
                            .pSignalSemaphoreInfos = &signal};
    return device->vk.vkQueueSubmit2(device->queue, 1, &submit, VK_NULL_HANDLE);
}

VkResult cvk_wait(const cvk_device *device, uint64_t value, uint64_t timeout_nanoseconds) {
    VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &device->timeline,
                                .pValues = &value};
    return device->vk.vkWaitSemaphores(device->handle, &wait, timeout_nanoseconds);
}

VkResult cvk_read_timestamps(const cvk_device *device, const cvk_recording *recording, uint64_t ticks[2]) {
    return device->vk.vkGetQueryPoolResults(device->handle, recording->timestamps, 0, 2, 16, ticks, 8,
                                            VK_QUERY_RESULT_64_BIT);
}
