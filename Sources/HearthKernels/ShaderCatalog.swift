import CShaders
import HearthCompute
import HearthRoofline

/// One way to do an operation on a Vulkan device.
package struct ShaderVariant: Sendable {
    /// The subgroups a variant is made for.
    package enum Width: Int, Sendable { case any, wide, narrow }

    package let operation, name: String
    /// Beyond Vulkan 1.3 core, by the names of `DeviceDescription.features`.
    package let features: [String]
    package let width: Width
    /// Rows and columns of one workgroup's results; 0 where it has no such.
    package let tile: (rows: Int, columns: Int)
    package let constants: [UInt32]
    package let shader: Shader

    package func runs(on device: Device) -> Bool { features.allSatisfy(device.features.contains) }
}

/// The compiled shaders: operations, each with one or more variants. `Shaders/variants.json` is their list.
package enum ShaderCatalog {
    private static let all: [String: [ShaderVariant]] = {
        let entries = cshaders_entries()!
        var all: [String: [ShaderVariant]] = [:]
        for index in 0..<Int(cshaders_count) {
            let entry = entries[index]
            let shader = Shader(
                name: String(cString: entry.name), bindingCount: Int(entry.binding_count),
                pushByteCount: Int(entry.push_byte_count),
                spirv: UnsafeRawBufferPointer(start: entry.spirv, count: Int(entry.byte_count)))
            let constants = withUnsafeBytes(of: entry.constants) { Array($0.bindMemory(to: UInt32.self)) }
            let variant = ShaderVariant(
                operation: String(cString: entry.operation), name: String(cString: entry.variant),
                features: String(cString: entry.features).split(separator: ",").map(String.init),
                width: ShaderVariant.Width(rawValue: Int(entry.width))!,
                tile: (Int(entry.tile.0), Int(entry.tile.1)),
                constants: Array(constants.prefix(Int(entry.constant_count))), shader: shader)
            all[variant.operation, default: []].append(variant)
        }
        return all
    }()

    package static var operations: [String] { all.keys.sorted() }

    /// In the order of the manifest. - Precondition: a launcher asks for what is in variants.json.
    package static func variants(of operation: String) -> [ShaderVariant] {
        guard let variants = all[operation] else { preconditionFailure("no \(operation) in Shaders/variants.json") }
        return variants
    }

    /// Whether `device` has what one variant of `operation` needs.
    static func has(_ operation: String, on device: Device) -> Bool {
        all[operation]?.contains { $0.runs(on: device) } ?? false
    }

    /// Whether `device` can run some operation in the variant `name`.
    package static func runs(_ name: String, on device: Device) -> Bool {
        all.values.joined().contains { $0.name == name && $0.runs(on: device) }
    }

    /// The names of all variants, for `--variant`.
    package static var variantNames: [String] { Set(all.values.joined().map(\.name)).subtracting(["only"]).sorted() }

    /// The variant that was forced, where the operation has it; else `tuned`; else the best of those made for the device's
    /// subgroups, by `isBetter` or in the manifest's order. Only those that fit the problem.
    ///
    /// - Throws: `invalid` when the device lacks what every variant needs.
    static func variant(
        _ operation: String, for device: Device, tuned: String? = nil,
        where fits: (ShaderVariant) -> Bool = { _ in true },
        isBetter: (ShaderVariant, ShaderVariant) -> Bool = { _, _ in false }
    ) throws(DeviceError) -> ShaderVariant {
        let variants = variants(of: operation)
        let usable = variants.filter { $0.runs(on: device) && fits($0) }
        for name in device.forcedVariants + [tuned].compactMap({ $0 }) {
            if let variant = usable.first(where: { $0.name == name }) { return variant }
        }
        let width = device.description.subgroupSize <= 8 ? ShaderVariant.Width.narrow : .wide
        let fitting = usable.filter { $0.width == width || $0.width == .any }
        guard var best = fitting.first ?? usable.first else {
            let missing = variants.map { $0.features.filter { !device.features.contains($0) } }
            let least = missing.min { $0.count < $1.count } ?? []
            throw DeviceError(
                .invalid, "\(operation): \(device.selector) lacks \(least.joined(separator: ", "))")
        }
        for other in fitting.dropFirst() where isBetter(other, best) { best = other }
        return best
    }
}

extension CommandEncoder {
    /// One dispatch of a variant. Bindings and barriers as `dispatch`.
    mutating func dispatch(
        _ variant: ShaderVariant, constants: [UInt32]? = nil, reads: [Tensor], writes: [Tensor], push: [UInt32],
        groups: (x: Int, y: Int, z: Int), cost: Cost = .zero
    ) throws(DeviceError) {
        try dispatch(
            variant.shader, constants: constants ?? variant.constants, reads: reads, writes: writes, push: push,
            groups: groups, cost: cost)
    }

    /// One dispatch of an operation in the variant that the device is given.
    mutating func dispatch(
        _ operation: String, reads: [Tensor], writes: [Tensor], push: [UInt32], groups: (x: Int, y: Int, z: Int)
    ) throws(DeviceError) {
        try dispatch(
            try ShaderCatalog.variant(operation, for: device), reads: reads, writes: writes, push: push, groups: groups)
    }
}
