import CVulkan
import Foundation
import Synchronization

/// The validation layers' switch and their messages.
///
/// `HEARTH_VALIDATION` is a comma-separated choice of `core`, `sync`, `gpu`; unset means none.
package enum VulkanValidation {
    private static let store = Mutex<[String]>([])

    /// Every warning and error since the process started.
    package static var messages: [String] { store.withLock { $0 } }

    static func fromEnvironment() -> cvk_validation {
        let chosen = Set((ProcessInfo.processInfo.environment["HEARTH_VALIDATION"] ?? "").split(separator: ","))
        return cvk_validation(
            core: !chosen.isEmpty, synchronization: chosen.contains("sync"), gpu_assisted: chosen.contains("gpu"))
    }

    static let handler: cvk_message_handler = { text, isError in
        let message = text.map { String(cString: $0) } ?? ""
        store.withLock { $0.append(message) }
        let line = "vulkan \(isError ? "error" : "warning"): \(message)\n"
        _ = line.withCString { write(2, $0, strlen($0)) }
    }
}
