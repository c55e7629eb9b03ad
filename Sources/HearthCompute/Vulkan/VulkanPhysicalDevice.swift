import CVulkan
import Foundation

/// A Vulkan device of this machine before it is opened.
///
/// `@unchecked Sendable`: nothing changes after `init`.
package final class VulkanPhysicalDevice: @unchecked Sendable {
    let handle: VkPhysicalDevice
    let info: cvk_device_info
    package let description: DeviceDescription
    /// Vendor, model and driver version: the same for devices of one kind under one driver.
    let kindIdentity: String

    init(instance: VkInstance, handle: VkPhysicalDevice, index: Int) {
        self.handle = handle
        var info = cvk_device_info()
        cvk_describe(handle, &info)
        self.info = info
        kindIdentity =
            [info.vendor_id, info.device_id, info.driver_version].map { String($0, radix: 16) }.joined(separator: "-")
        description = Self.describe(info, handle: handle, instance: instance, index: index)
    }

    func open() throws(DeviceError) -> Device {
        if let reason = description.unusable {
            throw DeviceError(.unusable, "\(description.selector) (\(description.name)) cannot be used: \(reason)")
        }
        return Device(backend: .vulkan(try VulkanDevice(self)), description: description)
    }

    /// Device UUID and driver version.
    var identity: String {
        let uuid = withUnsafeBytes(of: info.device_uuid) { $0.map { String(format: "%02x", $0) }.joined() }
        return "\(uuid)-\(info.driver_version)"
    }

    /// Free bytes of device-local memory; nil where the driver does not say.
    var freeByteCount: UInt64? { Self.freeByteCount(info, handle) }

    private static func freeByteCount(_ info: cvk_device_info, _ handle: VkPhysicalDevice) -> UInt64? {
        var budget: UInt64 = 0
        var usage: UInt64 = 0
        guard info.features.memory_budget, cvk_memory_budget(handle, &budget, &usage) else { return nil }
        return budget > usage ? budget - usage : 0
    }

    private static func describe(
        _ info: cvk_device_info, handle: VkPhysicalDevice, instance: VkInstance, index: Int
    ) -> DeviceDescription {
        let shapes = matrixShapes(instance, handle)
        return DeviceDescription(
            selector: "vulkan:\(index)", kind: kind(info.device_type), name: string(info.name),
            driver: "\(string(info.driver_name)) \(string(info.driver_info))",
            apiVersion: "\(info.api_version >> 22).\((info.api_version >> 12) & 0x3ff).\(info.api_version & 0xfff)",
            memoryByteCount: info.device_local_byte_count,
            freeByteCount: freeByteCount(info, handle),
            subgroupSize: Int(info.subgroup_size),
            features: featureNames(info.features) + subgroupNames(info.subgroup_size) + matrixNames(shapes)
                + (info.max_shared_byte_count >= 48 << 10 ? ["shared48k"] : []),
            matrixShapes: shapes, unusable: unusable(info))
    }

    private static func kind(_ type: UInt32) -> DeviceDescription.Kind {
        switch type {
        case UInt32(VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU.rawValue): .discrete
        case UInt32(VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU.rawValue): .integrated
        case UInt32(VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU.rawValue): .virtual
        default: .software
        }
    }

    private static func unusable(_ info: cvk_device_info) -> String? {
        let features = info.features
        if info.api_version < 1 << 22 | 3 << 12 { return "its driver offers less than Vulkan 1.3" }
        if info.compute_family == .max { return "it has no compute queue" }
        if !features.timeline_semaphore { return "it lacks timeline semaphores" }
        if !features.synchronization2 { return "it lacks synchronization2" }
        if info.subgroup_size < 4 { return "its subgroups have fewer than four invocations" }
        if !features.subgroup_arithmetic { return "it lacks subgroup arithmetic in compute shaders" }
        return nil
    }

    private static func featureNames(_ f: cvk_features) -> [String] {
        let all: [(Bool, String)] = [
            (f.float16, "f16"), (f.int8, "i8"), (f.int16, "i16"), (f.storage_16bit, "storage16"),
            (f.storage_8bit, "storage8"),
            (f.int64, "i64"), (f.subgroup_shuffle, "subgroup-shuffle"), (f.memory_model, "memory-model"),
            (f.integer_dot, "integer-dot"),
            (f.bfloat16, "bf16"),
            (f.memory_budget, "memory-budget"),
            (f.subgroup_size_control, "subgroup-size-control"), (f.cooperative_matrix, "cooperative-matrix"),
            (f.cooperative_matrix2, "cooperative-matrix2"),
            (f.cooperative_matrix_workgroup, "cooperative-matrix-workgroup"),
            (f.pipeline_executable_properties, "pipeline-executable-properties"),
        ]
        return all.filter(\.0).map(\.1)
    }

    /// What shaders made for a size of subgroup ask for: exactly so many invocations, or eight and more.
    private static func subgroupNames(_ size: UInt32) -> [String] {
        (size >= 8 ? ["subgroup8"] : []) + ["subgroup=\(size)"]
    }

    /// Matrices that one subgroup multiplies, of f16 or bf16 summed in f32, or of f16 summed in f16.
    private static func matrixNames(_ shapes: [DeviceDescription.MatrixShape]) -> [String] {
        shapes.filter { $0.a == $0.b && $0.c == $0.result && ["f32", "f16"].contains($0.c) && $0.scope == "subgroup" }
            .map { "matrix-\($0.a)\($0.c == "f16" ? "-summed-f16" : "")-\($0.m)x\($0.n)x\($0.k)" }
    }

    private static func matrixShapes(_ instance: VkInstance, _ handle: VkPhysicalDevice)
        -> [DeviceDescription.MatrixShape]
    {
        var count: UInt32 = 256
        var shapes = [cvk_matrix_shape](repeating: cvk_matrix_shape(), count: Int(count))
        guard cvk_matrix_shapes(instance, handle, &shapes, &count) == VK_SUCCESS else { return [] }
        return shapes.prefix(Int(count)).map {
            DeviceDescription.MatrixShape(
                m: Int($0.m), n: Int($0.n), k: Int($0.k), a: component($0.a_type), b: component($0.b_type),
                c: component($0.c_type), result: component($0.result_type), scope: scope($0.scope))
        }
    }

    /// VkComponentTypeKHR.
    private static func component(_ type: UInt32) -> String {
        let names = ["f16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
        if Int(type) < names.count { return names[Int(type)] }
        return type == 1_000_141_000 ? "bf16" : "type\(type)"
    }

    /// VkScopeKHR.
    private static func scope(_ value: UInt32) -> String {
        [1: "device", 2: "workgroup", 3: "subgroup", 5: "queue-family"][value] ?? "scope\(value)"
    }

    private static func string<T>(_ characters: T) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
