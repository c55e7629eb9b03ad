import CVulkan

/// What went wrong on a device, where, and what to do about it.
public struct DeviceError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        enum Kind: String {
            case noSuchDevice, driverMissing, unusable, outOfMemory, deviceLost, timeout, invalid, driver
        }
        let kind: Kind

        /// The selector names no device of this machine.
        public static let noSuchDevice = Code(kind: .noSuchDevice)
        /// The Vulkan loader or every driver is absent.
        public static let driverMissing = Code(kind: .driverMissing)
        /// The device lacks something that Hearth needs.
        public static let unusable = Code(kind: .unusable)
        public static let outOfMemory = Code(kind: .outOfMemory)
        /// The device stopped answering; its buffers are gone.
        public static let deviceLost = Code(kind: .deviceLost)
        public static let timeout = Code(kind: .timeout)
        /// Tensors do not fit the operation or the device: shape, dtype, alignment, range.
        public static let invalid = Code(kind: .invalid)
        /// Any other failure of a driver call.
        public static let driver = Code(kind: .driver)
    }

    public let code: Code
    public let message: String
    /// The driver's result where one was the cause.
    public let vkResult: Int32?

    public init(_ code: Code, _ message: String, vkResult: Int32? = nil) {
        self.code = code
        self.message = message
        self.vkResult = vkResult
    }

    public var description: String {
        vkResult.map { "\(message) (VkResult \($0))" } ?? message
    }
}

/// Turns a driver's result into a typed error at the call.
func check(_ result: VkResult, _ call: @autoclosure () -> String) throws(DeviceError) {
    if result == VK_SUCCESS { return }
    let code: DeviceError.Code =
        switch result {
        case VK_ERROR_OUT_OF_HOST_MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY: .outOfMemory
        case VK_ERROR_DEVICE_LOST: .deviceLost
        case VK_TIMEOUT: .timeout
        default: .driver
        }
    throw DeviceError(code, "\(call()) failed", vkResult: result.rawValue)
}
