import HearthCompute
import HearthFormats
import HearthKernels

/// Brings tensors of a model file to a device, checking name, shape and type: views of the mapped file on the CPU, copies on
/// a GPU.
struct TensorLoader {
    let gguf: GGUFFile
    let device: Device
    let activations: PackedWeights.Activations
    let progress: (Double) -> Void
    private var read: Set<String> = []

    init(
        gguf: GGUFFile, device: Device, activations: PackedWeights.Activations, progress: @escaping (Double) -> Void
    ) {
        self.gguf = gguf
        self.device = device
        self.activations = activations
        self.progress = progress
    }

    private static let types: [GGUFType: DType] = [
        .f32: .f32, .f16: .f16, .bf16: .bf16, .q4_0: .q4_0, .q4_1: .q4_1, .q5_0: .q5_0, .q8_0: .q8_0, .q4_k: .q4_k,
        .q5_k: .q5_k, .q6_k: .q6_k,
    ]

    func has(_ name: String) -> Bool { gguf.tensors[name] != nil }

    /// A linear layer of `name.weight` and, where the file has it, `name.bias`; of a tensor with several parts `rows` alone.
    mutating func linear(_ name: String, _ shape: [Int], rows: Range<Int>? = nil) throws -> Linear {
        let weights = try load(name + ".weight", shape, rows: rows)
        var bias: Tensor?
        if has(name + ".bias") { bias = try load(name + ".bias", [shape[0]], rows: rows) }
        return Linear(weights: try pack(weights), bias: bias)
    }

    /// Lays a matrix out for its kernel. What it was read from need not stay in memory when the layout is a copy.
    func pack(_ weights: Tensor) throws(DeviceError) -> PackedWeights {
        let packed = try PackedWeights(weights, activations: activations)
        if case .cpu = device.backend, !packed.keepsSource {
            let bytes = weights.hostPointer(as: UInt8.self)
            gguf.file.release(UnsafeRawBufferPointer(start: bytes, count: weights.byteCount))
        }
        return packed
    }

    mutating func norm(_ name: String, _ width: Int, _ kind: Architecture.Norm) throws -> Norm {
        Norm(
            weight: try load(name + ".weight", [width]), bias: kind == .layer ? try load(name + ".bias", [width]) : nil)
    }

    mutating func load(_ name: String, _ shape: [Int], rows: Range<Int>? = nil) throws -> Tensor {
        let path = gguf.file.path
        guard let entry = gguf.tensors[name] else { throw FormatError(file: path, "the file has no tensor \(name)") }
        guard entry.shape == shape else {
            throw FormatError(
                file: path, byteOffset: entry.entryOffset, "tensor \(name) is \(entry.shape), expected \(shape)")
        }
        guard let dtype = Self.types[entry.type] else {
            let known = Self.types.keys.map(\.description).sorted().joined(separator: ", ")
            throw FormatError(
                file: path, byteOffset: entry.entryOffset, "tensor \(name) is \(entry.type); supported: \(known)")
        }
        guard shape.count > 1 || dtype == .f32 else {
            throw FormatError(
                file: path, byteOffset: entry.entryOffset, "tensor \(name) is \(entry.type), expected F32")
        }
        if read.insert(name).inserted { progress(Double(read.count) / Double(gguf.tensors.count)) }
        let rowByteCount = dtype.byteCount(of: shape.dropFirst().reduce(1, *))
        let part = rows ?? 0..<shape[0]
        let bytes = UnsafeRawBufferPointer(
            rebasing: gguf.bytes(of: entry)[part.lowerBound * rowByteCount..<part.upperBound * rowByteCount])
        let partShape = [part.count] + shape.dropFirst()
        if case .cpu = device.backend {
            let buffer = DeviceBuffer(device: device, borrowing: bytes, owner: gguf.file)
            return Tensor(buffer, dtype: dtype, shape: partShape)
        }
        let tensor = try device.makeTensor(dtype, partShape)
        try tensor.buffer.write(bytes)
        gguf.file.release(bytes)
        return tensor
    }

    /// A tensor that nothing has read means that the model computes something that this code does not.
    func checkAllRead() throws(FormatError) {
        if let (name, entry) = gguf.tensors.filter({ !read.contains($0.key) }).min(by: { $0.key < $1.key }) {
            throw FormatError(
                file: gguf.file.path, byteOffset: entry.entryOffset, "tensor \(name) has no place in this architecture")
        }
    }
}

/// `x W^T + b`.
struct Linear: Sendable {
    let weights: PackedWeights
    let bias: Tensor?

    func encode(
        _ x: Tensor, activation: GEMM.Activation = .identity, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try GEMM.encode(x, weights, GEMM.Options(bias: bias, activation: activation), into: y, &encoder)
    }
}

/// The weights of a normalisation; a bias makes it LayerNorm.
struct Norm: Sendable {
    let weight: Tensor
    let bias: Tensor?
}
