import HearthCompute
import HearthFormats
import HearthKernels

/// Brings tensors of a model to a device, checking name, shape and type: views of the mapped file on the CPU, copies on
/// a GPU.
struct TensorLoader {
    let source: ModelSource
    let device: Device
    let activations: PackedWeights.Activations
    let progress: (Double) -> Void
    /// Packed in an earlier run.
    let kept: PackedFile?
    /// Everything that was packed.
    private(set) var packed: [(PackedFile.Part, PackedWeights)] = []
    /// Whether something was packed that is not in `kept`.
    private(set) var hasPacked = false
    private var read: Set<String> = []

    init(
        source: ModelSource, device: Device, activations: PackedWeights.Activations, kept: PackedFile?,
        progress: @escaping (Double) -> Void
    ) {
        (self.source, self.kept) = (source, kept)
        self.device = device
        self.activations = activations
        self.progress = progress
    }

    private static let types: [GGUFType: DType] = [
        .f32: .f32, .f16: .f16, .bf16: .bf16, .q4_0: .q4_0, .q4_1: .q4_1, .q5_0: .q5_0, .q8_0: .q8_0, .q4_k: .q4_k,
        .q5_k: .q5_k, .q6_k: .q6_k,
    ]

    func has(_ name: String) -> Bool { source.tensors[name] != nil }

    /// A linear layer of `name.weight` and, where the file has it, `name.bias`; of a tensor with several parts `rows` alone.
    mutating func linear(_ name: String, _ shape: [Int], rows: Range<Int>? = nil) throws -> Linear {
        let weights = try load(name + ".weight", shape, rows: rows)
        var bias: Tensor?
        if has(name + ".bias") { bias = try load(name + ".bias", [shape[0]], rows: rows) }
        return Linear(
            weights: try pack(weights, name + ".weight", firstRow: rows?.lowerBound ?? 0), bias: bias)
    }

    /// Lays a matrix out for its kernel, or takes what was kept of an earlier run. What it was read from need not stay in memory
    /// when the layout is a copy.
    mutating func pack(_ weights: Tensor, _ name: String, firstRow: Int = 0) throws(DeviceError) -> PackedWeights {
        let part = PackedFile.Part(name: name, firstRow: firstRow)
        if let kept, let bytes = kept.bytes(of: part),
            let restored = PackedWeights(weights, packed: bytes, owner: kept.file)
        {
            packed.append((part, restored))
            return restored
        }
        let made = try PackedWeights(weights, activations: activations)
        packed.append((part, made))
        hasPacked = hasPacked || !made.keepsSource
        if case .cpu = device.backend, !made.keepsSource {
            let bytes = weights.hostPointer(as: UInt8.self)
            source.tensors[name]?.file.release(UnsafeRawBufferPointer(start: bytes, count: weights.byteCount))
        }
        return made
    }

    mutating func norm(_ name: String, _ width: Int, _ kind: Architecture.Norm) throws -> Norm {
        Norm(
            weight: try load(name + ".weight", [width]), bias: kind == .layer ? try load(name + ".bias", [width]) : nil)
    }

    mutating func load(_ name: String, _ shape: [Int], rows: Range<Int>? = nil) throws -> Tensor {
        let (stored, dtype) = try find(name, shape)
        let part = rows ?? 0..<shape[0]
        let partShape = [part.count] + shape.dropFirst()
        // Vectors are few, and kernels want them in f32.
        if shape.count == 1 { return try device.makeTensor(try stored.widened(part), partShape) }
        if stored.layout == .transposed {
            let tensor = try device.makeTensor(dtype, partShape)
            let values = stored.transposed(part)
            try values.withUnsafeBytes { try tensor.buffer.write($0) }
            return tensor
        }
        let rowByteCount = dtype.byteCount(of: shape.dropFirst().reduce(1, *))
        let bytes = UnsafeRawBufferPointer(
            rebasing: stored.bytes[part.lowerBound * rowByteCount..<part.upperBound * rowByteCount])
        // Where a format begins tensors anywhere, elements may lie across the places that kernels read from.
        if case .cpu = device.backend, Int(bitPattern: bytes.baseAddress) % 4 == 0 {
            let buffer = DeviceBuffer(device: device, borrowing: bytes, owner: stored.file)
            return Tensor(buffer, dtype: dtype, shape: partShape)
        }
        let tensor = try device.makeTensor(dtype, partShape)
        try tensor.buffer.write(bytes)
        stored.file.release(bytes)
        return tensor
    }

    private mutating func find(_ name: String, _ shape: [Int]) throws(FormatError) -> (StoredTensor, DType) {
        guard let stored = source.tensors[name] else {
            throw FormatError(file: source.path, "the model has no tensor \(name)")
        }
        guard stored.shape == shape else {
            throw stored.error("tensor \(name) is \(stored.shape), expected \(shape)")
        }
        guard let dtype = Self.types[stored.type] else {
            let known = Self.types.keys.map(\.description).sorted().joined(separator: ", ")
            throw stored.error("tensor \(name) is \(stored.type); supported: \(known)")
        }
        if read.insert(name).inserted { progress(Double(read.count) / Double(source.tensors.count)) }
        return (stored, dtype)
    }

    /// A tensor that nothing has read means that the model computes something that this code does not.
    func checkAllRead() throws(FormatError) {
        if let (name, stored) = source.tensors.filter({ !read.contains($0.key) }).min(by: { $0.key < $1.key }) {
            throw stored.error("tensor \(name) has no place in this architecture")
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

    /// As a gate: `activation(x W^T + b) * up(x)`.
    func encode(
        _ x: Tensor, times up: Linear, activation: GEMM.Activation, scratch: Tensor, into y: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try SwiGLU.encode(
            x, gate: weights, up: up.weights, biases: (bias, up.bias), activation: activation, scratch: scratch,
            into: y, &encoder)
    }
}

/// The weights of a normalisation; a bias makes it LayerNorm.
struct Norm: Sendable {
    let weight: Tensor
    let bias: Tensor?
}
