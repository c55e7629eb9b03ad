/// A view of a buffer: dtype, shape, strides, byte offset. A value; the buffer owns the memory.
///
/// Shapes are written outermost first. Strides count elements; quantised tensors are always row-major and contiguous.
public struct Tensor: Sendable {
    public let buffer: DeviceBuffer
    public let dtype: DType
    public let shape: [Int]
    public let strides: [Int]
    public let byteOffset: Int

    /// A row-major contiguous view.
    ///
    /// - Precondition: the view lies inside the buffer, and a quantised last dimension is whole blocks.
    public init(_ buffer: DeviceBuffer, dtype: DType, shape: [Int], byteOffset: Int = 0) {
        var strides = [Int](repeating: 1, count: shape.count)
        for i in stride(from: shape.count - 2, through: 0, by: -1) { strides[i] = strides[i + 1] * shape[i + 1] }
        self.init(buffer, dtype: dtype, shape: shape, strides: strides, byteOffset: byteOffset)
    }

    package init(_ buffer: DeviceBuffer, dtype: DType, shape: [Int], strides: [Int], byteOffset: Int) {
        precondition(shape.allSatisfy { $0 >= 0 } && byteOffset >= 0, "negative extent in \(shape)")
        self.buffer = buffer
        self.dtype = dtype
        self.shape = shape
        self.strides = strides
        self.byteOffset = byteOffset
        precondition(byteOffset + spannedByteCount <= buffer.byteCount, "tensor \(shape) leaves its buffer")
    }

    public var elementCount: Int { shape.reduce(1, *) }

    /// Bytes of the elements themselves: what a kernel must move.
    public var byteCount: Int { dtype.byteCount(of: elementCount) }

    /// Bytes from the first to the last element, gaps included.
    package var spannedByteCount: Int {
        if dtype.isQuantised || elementCount == 0 { return byteCount }
        let last = zip(shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
        return (last + 1) * dtype.blockByteCount
    }

    public var isContiguous: Bool {
        var expected = 1
        var i = shape.count - 1
        while i >= 0 {
            if shape[i] != 1 {
                if strides[i] != expected { return false }
                expected *= shape[i]
            }
            i -= 1
        }
        return true
    }

    /// The same elements under another shape. - Precondition: contiguous, same element count.
    public func reshaped(_ newShape: [Int]) -> Tensor {
        precondition(isContiguous && newShape.reduce(1, *) == elementCount, "cannot reshape \(shape) to \(newShape)")
        return Tensor(buffer, dtype: dtype, shape: newShape, byteOffset: byteOffset)
    }

    /// Rows `range` of the outermost dimension.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
        let skip =
            dtype.isQuantised
            ? dtype.byteCount(of: range.lowerBound * strides[0]) : range.lowerBound * strides[0] * dtype.blockByteCount
        return Tensor(
            buffer, dtype: dtype, shape: [range.count] + shape.dropFirst(), strides: strides,
            byteOffset: byteOffset + skip)
    }

    /// The matrix with its two dimensions exchanged; no data moves.
    public var transposed: Tensor {
        precondition(shape.count == 2 && !dtype.isQuantised, "transposed needs a plain matrix")
        return Tensor(
            buffer, dtype: dtype, shape: [shape[1], shape[0]], strides: [strides[1], strides[0]],
            byteOffset: byteOffset)
    }
}
