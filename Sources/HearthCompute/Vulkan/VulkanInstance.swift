import CVulkan
import Foundation

/// The process's one Vulkan instance and its physical devices.
///
/// `@unchecked Sendable`: nothing changes after `init`.
package final class VulkanInstance: @unchecked Sendable {
    let handle: VkInstance
    package let devices: [VulkanPhysicalDevice]

    private static let result = Result<VulkanInstance, DeviceError> { () throws(DeviceError) in try VulkanInstance() }

    /// - Throws: `driverMissing` where there is no loader or no driver: a value to report, not a crash.
    package static func shared() throws(DeviceError) -> VulkanInstance { try result.get() }

    private init() throws(DeviceError) {
        let validation = VulkanValidation.fromEnvironment()
        if validation.core, !cvk_has_layer("VK_LAYER_KHRONOS_validation") {
            throw DeviceError(
                .driverMissing,
                "HEARTH_VALIDATION is set but VK_LAYER_KHRONOS_validation is not installed (Debian: vulkan-validationlayers)"
            )
        }
        var instance: VkInstance?
        let result = cvk_create_instance(validation, VulkanValidation.handler, &instance)
        guard result == VK_SUCCESS, let instance else {
            throw DeviceError(
                .driverMissing, "no Vulkan on this machine: no loader (libvulkan.so.1) or no driver of version 1.3",
                vkResult: result.rawValue)
        }
        handle = instance
        var count: UInt32 = 64
        var physical = [VkPhysicalDevice?](repeating: nil, count: Int(count))
        try check(cvk_enumerate(instance, &physical, &count), "listing Vulkan devices")
        devices = physical.prefix(Int(count)).compactMap { $0 }.enumerated().map {
            VulkanPhysicalDevice(instance: instance, handle: $1, index: $0)
        }
    }

    /// The first usable device that is hardware.
    package var firstHardware: VulkanPhysicalDevice? {
        devices.first { $0.description.kind != .software && $0.description.unusable == nil }
    }
}
