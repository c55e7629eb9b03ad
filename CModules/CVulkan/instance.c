#include <string.h>

#include "CVulkan.h"

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *context) {
    (void)types;
    ((cvk_message_handler)context)(data->pMessage, severity >= VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT);
    return VK_FALSE;
}

bool cvk_has_layer(const char *name) {
    VkLayerProperties layers[128];
    uint32_t count = 128;
    if (volkInitialize() != VK_SUCCESS) return false;
    if (vkEnumerateInstanceLayerProperties(&count, layers) < 0) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(layers[i].layerName, name)) return true;
    return false;
}

VkResult cvk_create_instance(cvk_validation validation, cvk_message_handler handler, VkInstance *instance) {
    *instance = VK_NULL_HANDLE;
    VkResult result = volkInitialize();
    if (result != VK_SUCCESS) return result;
    if (volkGetInstanceVersion() < VK_API_VERSION_1_3) return VK_ERROR_INCOMPATIBLE_DRIVER;

    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "hearth", .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};

    const char *layer = "VK_LAYER_KHRONOS_validation", *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    VkValidationFeatureEnableEXT enables[2];
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .pEnabledValidationFeatures = enables};
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = (void *)handler};
    if (validation.core) {
        if (validation.synchronization)
            enables[features.enabledValidationFeatureCount++] =
                VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
        if (validation.gpu_assisted)
            enables[features.enabledValidationFeatureCount++] = VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_EXT;
        features.pNext = &messenger;
        info.pNext = &features;
        info.enabledLayerCount = 1;
        info.ppEnabledLayerNames = &layer;
        info.enabledExtensionCount = 1;
        info.ppEnabledExtensionNames = &extension;
    }
    result = vkCreateInstance(&info, NULL, instance);
    if (result != VK_SUCCESS) return result;
    volkLoadInstanceOnly(*instance);
    if (validation.core) {
        VkDebugUtilsMessengerEXT unused;  // lives as long as the process's instance
        return vkCreateDebugUtilsMessengerEXT(*instance, &messenger, NULL, &unused);
    }
    return VK_SUCCESS;
}
