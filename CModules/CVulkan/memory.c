#include "CVulkan.h"

// The first memory type that has `wanted`, is allowed by `mask` and, where there is a choice, has `preferred` too.
static uint32_t choose(const VkPhysicalDeviceMemoryProperties *memory, uint32_t mask, VkMemoryPropertyFlags wanted,
                       VkMemoryPropertyFlags preferred) {
    for (int pass = 0; pass < 2; pass++) {
        VkMemoryPropertyFlags need = pass == 0 ? wanted | preferred : wanted;
        for (uint32_t i = 0; i < memory->memoryTypeCount; i++)
            if ((mask & (1u << i)) && (memory->memoryTypes[i].propertyFlags & need) == need) return i;
    }
    return UINT32_MAX;
}

VkResult cvk_create_buffer(const cvk_device *device, uint64_t byte_count, cvk_location location, cvk_buffer *buffer) {
    *buffer = (cvk_buffer){.byte_count = byte_count};
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = byte_count,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkResult result = device->vk.vkCreateBuffer(device->handle, &info, NULL, &buffer->handle);
    if (result != VK_SUCCESS) return result;

    VkMemoryRequirements need;
    device->vk.vkGetBufferMemoryRequirements(device->handle, buffer->handle, &need);
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(device->physical, &memory);
    const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t type = location == CVK_DEVICE
                        ? choose(&memory, need.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0)
                        : choose(&memory, need.memoryTypeBits, host, VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    if (type == UINT32_MAX) {
        cvk_destroy_buffer(device, buffer);
        return VK_ERROR_FEATURE_NOT_PRESENT;
    }
    VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = need.size, .memoryTypeIndex = type};
    result = device->vk.vkAllocateMemory(device->handle, &allocation, NULL, &buffer->memory);
    if (result == VK_SUCCESS) result = device->vk.vkBindBufferMemory(device->handle, buffer->handle, buffer->memory, 0);
    if (result == VK_SUCCESS && (memory.memoryTypes[type].propertyFlags & host) == host)
        result = device->vk.vkMapMemory(device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->mapped);
    if (result != VK_SUCCESS) cvk_destroy_buffer(device, buffer);
    return result;
}

void cvk_destroy_buffer(const cvk_device *device, const cvk_buffer *buffer) {
    device->vk.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    device->vk.vkFreeMemory(device->handle, buffer->memory, NULL);
}
