extension Tensor {
    /// Fills a contiguous tensor with `word` over and over, the last one cut off where the tensor ends; on the CPU by all threads. On a
    /// device with work in flight on its buffer, wait for that work first.
    ///
    /// - Throws: what `write` throws.
    public func fill(_ word: UInt32) throws(DeviceError) {
        precondition(isContiguous, "fill of \(shape)")
        // On the CPU a huge page: its first touch clears it, and several threads clear several at once. Elsewhere uploads,
        // which come in pieces of 8 MiB whatever they are given.
        let pieceByteCount = buffer.device.cpuThreadCount == nil ? 64 << 20 : 2 << 20
        let words = [UInt32](repeating: word, count: (min(byteCount, pieceByteCount) + 3) / 4)
        let result = words.withUnsafeBytes { piece in
            Result { () throws(DeviceError) in
                if case .cpu(let cpu) = buffer.device.backend {
                    nonisolated(unsafe) let (source, target) = (piece.baseAddress!, hostPointer(as: UInt8.self))
                    cpu.parallel(byteCount, grain: pieceByteCount) { range in
                        UnsafeMutableRawPointer(target + range.lowerBound)
                            .copyMemory(from: source, byteCount: range.count)
                    }
                    return
                }
                for start in stride(from: 0, to: byteCount, by: pieceByteCount) {
                    let count = min(pieceByteCount, byteCount - start)
                    try buffer.write(UnsafeRawBufferPointer(rebasing: piece[..<count]), at: byteOffset + start)
                }
            }
        }
        try result.get()
    }
}

extension Device {
    /// A contiguous f32 tensor whose elements are all `value`.
    public func makeTensor(repeating value: Float, _ shape: [Int]) throws(DeviceError) -> Tensor {
        let tensor = try makeTensor(.f32, shape)
        try tensor.fill(value.bitPattern)
        return tensor
    }
}
