import CKernels
import HearthCompute
import Support

/// One way to compute a kernel: the f64 reference, the CPU at one level, or a Vulkan device.
enum Implementation: CustomStringConvertible {
    case reference
    case cpu(level: String)
    case vulkan(selector: String, variants: [String])

    /// All that this machine has. A lowered HEARTH_CPU_LEVEL lowers the list.
    static let all: [Implementation] = {
        let highest = Int(ck_level_index())
        return [.reference] + ["portable", "avx2", "avx512"].prefix(highest + 1).map { .cpu(level: $0) }
            + TestDevices.vulkan.flatMap { selector in
                ([[]] + variantSets).map { .vulkan(selector: selector, variants: $0) }
            }
    }()

    /// What is forced in turn, so that every variant meets the vectors.
    static let variantSets = [["wide", "tile32"], ["wide", "tile128"], ["rows8"], ["rows16"], ["rows32"]]

    var description: String {
        switch self {
        case .reference: "reference"
        case .cpu(let level): "cpu \(level)"
        case .vulkan(let selector, let variants): ([selector] + variants).joined(separator: " ")
        }
    }

    /// Runs `body` with this implementation's device, or nil for the reference; the CPU's level is put back afterwards.
    func with<Result>(_ body: (Device?) throws -> Result) throws -> Result {
        switch self {
        case .reference: return try body(nil)
        case .vulkan(let selector, let variants):
            let device = try TestDevices.device(selector)
            device.forced.withLock { $0.variants = variants }
            defer { device.forced.withLock { $0.variants = [] } }
            return try body(device)
        case .cpu(let level):
            let before = String(cString: ck_level_name())
            precondition(ck_level_force(level), "this machine has no level \(level)")
            defer { _ = ck_level_force(before) }
            return try body(try Device.open(.cpu, threadCount: 2))
        }
    }
}

/// A case that the kernel cannot express, and why.
struct Excluded: Error {
    let reason: String
}

extension Device {
    /// Encodes, submits, waits.
    func run(_ encode: (inout CommandEncoder) throws(DeviceError) -> Void) throws {
        var encoder = try makeEncoder()
        try encode(&encoder)
        try encoder.submit().wait()
    }

    func tensor(_ x: ONNXTensor) throws -> Tensor { try makeTensor(x.floats, x.shape) }

    func integers(_ values: [Double]) throws -> Tensor {
        let tensor = try makeTensor(.i32, [values.count])
        try tensor.write(values.map { Int32($0) })
        return tensor
    }
}

extension Tensor {
    func doubles() throws -> [Double] {
        dtype == .i32 ? try read(as: Int32.self).map(Double.init) : try read(as: Float.self).map(Double.init)
    }
}
